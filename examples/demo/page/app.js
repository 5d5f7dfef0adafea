// The page works without this script. The script sends forms in the background, replaces the parts
// of the page that change, and shows events as they happen.
"use strict";

const status = document.getElementById("status");
let hide;

function say(text) {
  status.textContent = text;
  status.classList.add("shown");
  clearTimeout(hide);
  hide = setTimeout(() => status.classList.remove("shown"), 4000);
}

document.addEventListener("submit", async (event) => {
  const form = event.target, button = event.submitter;
  const parts = form.dataset.parts?.split(" ");
  if (!parts) return;
  event.preventDefault();
  if (form.getAttribute("aria-busy")) return;
  form.setAttribute("aria-busy", "true");
  const action = button?.getAttribute("formaction") ?? form.getAttribute("action");
  const body = new URLSearchParams(new FormData(form));
  try {
    const response = await fetch(action, { method: "POST", body });
    const text = await response.text();
    if (!response.ok) return say(text);
    replace(parts, new DOMParser().parseFromString(text, "text/html"), action);
  } catch {
    say("The demo does not answer. Is it still running?");
  } finally {
    form.removeAttribute("aria-busy");
  }
});

// replace replaces parts of this page with those of another page. It keeps the keyboard focus where
// it was if that element still exists.
function replace(parts, next, action) {
  const focus = document.activeElement;
  const at = focus?.getAttribute("formaction") ?? focus?.form?.getAttribute("action");
  for (const id of parts) {
    const old = document.getElementById(id), fresh = next.getElementById(id);
    if (!old || !fresh) continue;
    fresh.classList.add("fresh");
    old.replaceWith(document.adoptNode(fresh));
  }
  if (focus && !focus.isConnected && at) {
    const same = document.querySelector(`[formaction="${at}"]`) ??
      document.querySelector(`form[action="${at}"] button`) ??
      document.querySelector("#session button");
    same?.focus({ preventScroll: true });
  }
  say(outcome(action));
}

function outcome(action) {
  const text = (selector) => document.querySelector(selector)?.textContent.trim();
  const result = (trial, side) => text(`[data-${trial}=${side}]`);
  switch (action) {
    case "/try/fifty":
      return `scskit kept ${result("kept", "scskit")} of 50 writes, ` +
        `stock scs ${result("kept", "stock")}.`;
    case "/try/race":
      return `In scskit the session ${result("race", "scskit")}; ` +
        `in stock scs it ${result("race", "stock")}.`;
    case "/try/damage":
      return text("#damage .after") ?? text("#damage .none");
  }
  const [, slug, verb] = action.split("/");
  const name = document.querySelector(`[data-framework="${slug}"] h2`)?.textContent ?? slug;
  const done = { put: "Put", remove: "Removed", signin: "Signed in", signout: "Signed out" };
  return `${done[verb]} through ${name}.`;
}

const slugs = {
  "Gin": "gin", "Echo v4": "echo", "Echo v5": "echov5", "Fiber v2": "fiber", "Fiber v3": "fiberv3",
  "Chi": "chi", "net/http": "nethttp",
};
const list = document.getElementById("event-list"), live = document.getElementById("live");
const keep = 60;

function line(e) {
  const li = document.createElement("li");
  li.className = e.Kind;
  if (e.ID && e.ID === document.querySelector(".record")?.dataset.id) li.classList.add("mine");
  const cells = [
    ["time", "", e.Time],
    ["b", "", e.Kind],
    ["span", `outcome ${e.Outcome}`, e.Outcome],
    ["span", `by ${slugs[e.Framework] ?? ""}`, e.Framework],
    ["code", "", e.ID],
    ["span", "took", e.Took],
  ];
  for (const [tag, name, text] of cells) {
    const cell = document.createElement(tag);
    cell.className = name;
    cell.textContent = text;
    li.append(cell);
  }
  return li;
}

const stream = new EventSource("/events");
stream.onopen = () => { live.hidden = false; };
stream.onerror = () => { live.hidden = true; };
stream.onmessage = (message) => {
  list.querySelector(".none")?.remove();
  list.prepend(line(JSON.parse(message.data)));
  while (list.children.length > keep) list.lastElementChild.remove();
};
