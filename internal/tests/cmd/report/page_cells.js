function change(part) {
	state = { ...state, ...part };
	writeHash();
	showState();
}

function showState() {
	if (document.activeElement !== form.q) form.q.value = state.q;
	for (const name of ["adapter", "backend", "level"]) form[name].value = state[name];
	for (const input of form.querySelectorAll("[name=outcome]")) {
		input.checked = input.value === state.outcome;
	}
	draw();
	showDetail();
}

// cellKey returns the value of state.cell for an open cell.
const cellKey = (s, c) => s.key + " " + c.id;

function opened() {
	for (const s of data.subjects) {
		if (!state.cell.startsWith(s.key + " ")) continue;
		const c = data.checks.find((c) => cellKey(s, c) === state.cell && s.outcomes[c.index] !== ".");
		if (c) return [s, c];
	}
	return null;
}

const describe = (s, c) => `${c.id}, ${s.name}: ${outcomes[s.outcomes[c.index]].word}`;

function showDetail() {
	const open = opened();
	detail.hidden = !open;
	if (!open) return;
	const [s, c] = open, letter = s.outcomes[c.index], reason = data.reasons[s.why[c.index]];
	$("detail-check").textContent = c.id;
	$("detail-why").textContent = c.why;
	const { sign, word } = outcomes[letter];
	const key = element("span", { class: "key " + letter, "aria-hidden": "true" }, sign);
	const rows = [
		["Subject", s.name],
		["Level", c.level],
		["Outcome", element("span", {}, key, " " + word)],
		["Took", s.took[c.index] + " ms"],
	];
	const items = rows.flatMap(([k, v]) => [element("dt", {}, k), element("dd", {}, v)]);
	detail.querySelector("dl").replaceChildren(...items);
	$("detail-reason").hidden = !reason;
	$("detail-reason").textContent = reason || "";
}

const cellElement = (s, c) => tables.querySelector(`td[data-s="${s.index}"][data-c="${c.index}"]`);

function markCell() {
	for (const td of tables.querySelectorAll("[aria-selected=true]")) {
		td.removeAttribute("aria-selected");
	}
	const open = opened(), td = open && cellElement(...open);
	if (td) td.setAttribute("aria-selected", "true");
}

function setCell(td) {
	state.cell = td ? cellKey(data.subjects[td.dataset.s], data.checks[td.dataset.c]) : "";
	writeHash();
	markCell();
	showDetail();
}

function openCell(td) {
	focusCell(td);
	setCell(td.getAttribute("aria-selected") ? null : td);
}

function closeDetail() {
	const open = opened(), td = open && cellElement(...open);
	setCell(null);
	if (td) focusCell(td);
}

function focusCell(td) {
	const start = td.closest("table").querySelector("td[tabindex='0']");
	if (start) start.tabIndex = -1;
	td.tabIndex = 0;
	td.setAttribute("aria-label", describe(data.subjects[td.dataset.s], data.checks[td.dataset.c]));
	td.focus({ preventScroll: true });
	reveal(td, 0);
}

// reveal scrolls a cell into the part of the view that the head and the first column do not cover.
// space is the height below the cell to show as well.
function reveal(td, space) {
	const table = td.closest("table");
	const box = td.getBoundingClientRect(), frame = main.getBoundingClientRect();
	const top = frame.top + table.tHead.offsetHeight;
	const left = frame.left + table.querySelector(".corner").offsetWidth;
	main.scrollBy(
		box.left < left ? box.left - left : Math.max(0, box.right - frame.left - main.clientWidth),
		box.top < top ? box.top - top : Math.max(0, box.bottom + space - frame.top - main.clientHeight));
}

// move returns the next cell with a result in the direction of a key, or a value that is not true.
function move(td, key) {
	const usable = (cell) => cell && cell.dataset.s !== undefined;
	const row = [...td.parentNode.cells].filter(usable);
	const column = [...td.closest("table").rows].map((r) => r.cells[td.cellIndex]).filter(usable);
	const at = (list, step) => list[list.indexOf(td) + step];
	switch (key) {
	case "ArrowRight": return at(row, 1);
	case "ArrowLeft": return at(row, -1);
	case "ArrowDown": return at(column, 1);
	case "ArrowUp": return at(column, -1);
	case "Home": return row[0];
	case "End": return row.at(-1);
	}
	return null;
}

tables.addEventListener("click", (e) => {
	const td = e.target.closest("td[data-s]");
	if (td) openCell(td);
});
tables.addEventListener("keydown", (e) => {
	const td = e.target.closest("td[data-s]");
	if (!td || e.ctrlKey || e.metaKey || e.altKey) return;
	const press = e.key === "Enter" || e.key === " ", next = move(td, e.key);
	if (press || next) e.preventDefault();
	if (press) openCell(td);
	if (next) focusCell(next);
	if (next && state.cell) setCell(next);
});
tables.addEventListener("mouseover", (e) => {
	const td = e.target.closest("td[data-s]");
	if (td && !td.title) td.title = describe(data.subjects[td.dataset.s], data.checks[td.dataset.c]);
});
document.addEventListener("keydown", (e) => {
	if (e.key === "Escape" && !detail.hidden) closeDetail();
	if (e.key === "/" && !e.target.closest("input, select")) {
		e.preventDefault();
		form.q.focus();
	}
});
$("close").addEventListener("click", closeDetail);
$("reset").addEventListener("click", () => {
	form.q.value = "";
	change({ ...none, cell: state.cell });
});
form.addEventListener("submit", (e) => e.preventDefault());
form.addEventListener("change", (e) => {
	if (e.target !== form.q) change({ [e.target.name]: e.target.value });
});
let typing;
form.q.addEventListener("input", () => {
	clearTimeout(typing);
	typing = setTimeout(() => change({ q: form.q.value.trim() }), 120);
});
let width = innerWidth;
addEventListener("resize", () => innerWidth !== width && draw(width = innerWidth));
const begin = () => (readHash(), showState());
addEventListener("hashchange", begin);

fillForm();
begin();
const open = opened(), td = open && cellElement(...open);
if (td) td.scrollIntoView({ block: "nearest" }); // gives the sections above it their real sizes
if (td) reveal(td, main.clientHeight * 0.6);
