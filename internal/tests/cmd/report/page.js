const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const form = $("filters"), main = $("main"), tables = $("tables"), detail = $("detail");

// The letters of outcomes.
const outcomes = {
	p: { word: "passed", sign: "✓" },
	f: { word: "failed", sign: "✗" },
	e: { word: "exempt", sign: "E" },
	n: { word: "not applicable", sign: "–" },
};
const kinds = {
	store: { title: "Stores", about: "each by itself" },
	driver: { title: "Drivers", about: "the part of a store that talks to its backend" },
	adapter: { title: "Adapters", about: "each with the kit's reference store" },
	pair: { title: "Pairs", about: "an adapter with a store" },
};
const levels = ["store", "scskit", "driver", "adapter", "pair"];
const alone = "-"; // in a filter: no adapter, or no backend

// Expand the compact data.
const names = {
	store: (s) => s.store,
	driver: (s) => `${s.store} (driver)`,
	adapter: (s) => s.adapter,
	pair: (s) => `${s.adapter} × ${s.store}`,
};
data.subjects.forEach((s, i) => {
	s.index = i;
	let n = 0;
	s.took = [...s.outcomes].map((letter) => letter === "." ? 0 : s.durations[n++]);
	s.why ||= {};
	s.name = names[s.kind](s);
	s.key = [s.kind, s.adapter || "", s.store || ""].join(" ");
});
data.checks.forEach((c, i) => {
	c.index = i;
	c.group = c.id.split("/")[0];
	c.text = (c.id + " " + c.why).toLowerCase();
});
const reasons = data.reasons.map((r) => r.toLowerCase());
const unique = (list) => [...new Set(list.filter(Boolean))];
const adapters = unique(data.subjects.map((s) => s.adapter));
const stores = unique(data.subjects.map((s) => s.store));

function element(name, attributes = {}, ...children) {
	const e = document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
	e.append(...children);
	return e;
}

// The state is the filters and the open cell. The URL contains it, so that a view can be linked.
const none = { q: "", adapter: "", backend: "", level: "", outcome: "", cell: "" };
let state;

function readHash() {
	const p = new URLSearchParams(location.hash.slice(1));
	state = Object.fromEntries(Object.keys(none).map((key) => [key, p.get(key) || ""]));
	if (!outcomes[state.outcome]) state.outcome = "";
}

function writeHash() {
	const p = new URLSearchParams();
	for (const [key, value] of Object.entries(state)) if (value) p.set(key, value);
	const hash = p.toString();
	history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
}

function fillForm() {
	const options = (select, all, list) => {
		const choices = list.map(([value, text]) => element("option", { value }, text));
		select.replaceChildren(element("option", { value: "" }, all), ...choices);
	};
	options(form.adapter, "All adapters", [...adapters.map((a) => [a, a]), [alone, "No adapter"]]);
	options(form.backend, "All backends", [...stores.map((s) => [s, s]), [alone, "Adapters alone"]]);
	options(form.level, "All levels", levels.map((l) => [l, "Level " + l]));
	for (const [letter, o] of [["", { word: "all", sign: "" }], ...Object.entries(outcomes)]) {
		const input = element("input", {
			type: "radio", name: "outcome", value: letter, "aria-label": o.word,
		});
		const label = element("label", { title: o.word }, input);
		if (o.sign) {
			const style = "font-style:normal";
			label.append(element("i", { class: "key " + letter, "aria-hidden": "true", style }, o.sign));
		}
		label.append(element("span", {}, o.word), element("b", { "data-count": letter }, "0"));
		$("outcomes").append(label);
	}
}

// visible returns the subjects and checks that match the filters, and the counts of their results
// by outcome. The filter by outcome does not affect the counts.
function visible() {
	const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
	const has = (text) => words.every((w) => text.includes(w));
	const reasonHas = reasons.map((r) => words.length > 0 && has(r));
	const checkHas = data.checks.map((c) => has(c.text));
	const subjects = data.subjects.filter((s) =>
		(!state.adapter || (state.adapter === alone ? !s.adapter : s.adapter === state.adapter)) &&
		(!state.backend || (state.backend === alone ? !s.store : s.store === state.backend)));
	const checks = data.checks.filter((c) => !state.level || c.level === state.level);
	const counts = { "": 0, p: 0, f: 0, e: 0, n: 0 };
	const shown = new Map(); // a subject's checks that have a result to show
	for (const s of subjects) {
		const own = new Set();
		for (const c of checks) {
			const letter = s.outcomes[c.index];
			if (letter === "." || !(checkHas[c.index] || reasonHas[s.why[c.index]])) continue;
			counts[letter]++;
			counts[""]++;
			if (!state.outcome || letter === state.outcome) own.add(c.index);
		}
		if (own.size) shown.set(s, own);
	}
	return { shown, counts };
}

function count(subjects, checks) {
	const n = { p: 0, f: 0, e: 0, n: 0, all: 0 };
	for (const s of subjects) for (const c of checks) {
		const letter = s.outcomes[c.index];
		if (letter !== ".") n[letter]++, n.all++;
	}
	return n;
}

const describeCounts = (n) => Object.keys(outcomes).filter((letter) => n[letter])
	.map((letter) => `${n[letter]} ${outcomes[letter].word}`).join(", ");
