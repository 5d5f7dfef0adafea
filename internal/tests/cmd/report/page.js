"use strict";
(() => {
	const data = JSON.parse(document.getElementById("data").textContent);
	const $ = (id) => document.getElementById(id);
	const form = $("filters"), main = $("main"), tables = $("tables"), detail = $("detail");

	// A letter stands for an outcome.
	const outcomes = {
		p: { word: "passed", sign: "✓" },
		f: { word: "failed", sign: "✗" },
		e: { word: "exempt", sign: "E" },
		n: { word: "not applicable", sign: "–" },
	};
	const kinds = {
		store: { title: "Stores", about: "each by itself" },
		driver: { title: "Drivers", about: "the part of a store that talks to its backend" },
		adapter: { title: "Adapters", about: "each over the kit's reference store" },
		pair: { title: "Pairs", about: "an adapter with a store" },
	};
	const levels = ["store", "scskit", "driver", "adapter", "pair"];
	const alone = "-"; // in a filter: no adapter, or no backend

	// prepare spreads out what the page keeps compact.
	data.subjects.forEach((s, i) => {
		s.index = i;
		let n = 0;
		s.took = [...s.outcomes].map((letter) => letter === "." ? 0 : s.durations[n++]);
		s.why ||= {};
		s.name = s.kind === "pair" ? `${s.adapter} × ${s.store}` : s.kind === "driver" ? `${s.store} (driver)` : s.store || s.adapter;
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

	// The state is the filters and the open cell. It is kept in the URL, so that a view can be linked.
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
		const options = (select, all, list) => select.replaceChildren(
			element("option", { value: "" }, all), ...list.map(([value, text]) => element("option", { value }, text)));
		options(form.adapter, "All adapters", [...adapters.map((a) => [a, a]), [alone, "No adapter"]]);
		options(form.backend, "All backends", [...stores.map((s) => [s, s]), [alone, "Adapters alone"]]);
		options(form.level, "All levels", levels.map((l) => [l, "Level " + l]));
		for (const [letter, o] of [["", { word: "all", sign: "" }], ...Object.entries(outcomes)]) {
			const key = o.sign ? [element("i", { class: "key " + letter, "aria-hidden": "true", style: "font-style:normal" }, o.sign)] : [];
			$("outcomes").append(element("label", { title: o.word }, element("input", { type: "radio", name: "outcome", value: letter, "aria-label": o.word }),
				...key, element("span", {}, o.word), element("b", { "data-count": letter }, "0")));
		}
	}

	// visible returns the subjects and checks that the filters leave, and the counts of their results by
	// outcome, which the filter by outcome itself does not change.
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

	const told = (n) => Object.keys(outcomes).filter((letter) => n[letter]).map((letter) => `${n[letter]} ${outcomes[letter].word}`).join(", ");

	function draw() {
		const { shown, counts } = visible();
		for (const b of form.querySelectorAll("[data-count]")) b.textContent = counts[b.dataset.count].toLocaleString("en");
		const total = state.outcome ? counts[state.outcome] : counts[""];
		$("status").textContent = `${total} results shown: ${told(counts)}`;
		$("empty").hidden = shown.size > 0;
		const parts = [overview()];
		for (const kind of Object.keys(kinds)) {
			const subjects = data.subjects.filter((s) => s.kind === kind && shown.has(s));
			const checks = data.checks.filter((c) => subjects.some((s) => shown.get(s).has(c.index)));
			if (subjects.length) parts.push(section(kind, subjects, checks, shown));
		}
		tables.replaceChildren(...parts);
		markCell();
	}

	// overview is one cell for each subject; pressing it filters.
	function overview() {
		const rows = [
			["stores alone", (s) => s.kind === "store", { adapter: alone, level: "" }],
			["drivers", (s) => s.kind === "driver", { adapter: alone, level: "driver" }],
			...adapters.map((a) => [a, (s) => s.adapter === a, { adapter: a, level: "" }]),
		];
		const columns = [...stores, ""].filter((store) => data.subjects.some((s) => (s.store || "") === store));
		const table = element("table", { class: "overview" }, element("thead", {}, element("tr", {}, element("td"),
			...columns.map((c) => element("th", { scope: "col" }, c || "alone")))));
		const body = element("tbody");
		for (const [title, of, filter] of rows) {
			if (!data.subjects.some(of)) continue;
			body.append(element("tr", {}, element("th", { scope: "row" }, title), ...columns.map((store) => {
				const s = data.subjects.find((s) => of(s) && (s.store || "") === store);
				if (!s) return element("td");
				const n = count([s], data.checks), ran = n.all - n.n;
				const set = { ...filter, backend: store || alone };
				const b = element("button", {
					type: "button", class: n.f ? "f" : n.e ? "e" : n.p ? "p" : "n", title: told(n), "aria-label": `${s.name}: ${told(n)}`,
					"aria-pressed": String(Object.entries(set).every(([key, value]) => state[key] === value)),
				}, n.p === ran ? String(ran) : `${n.p}/${ran}`);
				b.addEventListener("click", () => {
					const off = b.getAttribute("aria-pressed") === "true";
					change(off ? { adapter: "", backend: "", level: "" } : set);
					[...tables.querySelectorAll(".overview button")].find((again) => again.ariaLabel === b.ariaLabel).focus();
				});
				return element("td", {}, b);
			})));
		}
		table.append(body);
		return element("section", { "aria-labelledby": "t-overview" },
			element("h2", { id: "t-overview" }, "Overview", element("small", {}, "checks that passed; press a cell to see only those")), table);
	}

	function section(kind, subjects, checks, shown) {
		const room = main.clientWidth - 2 * parseFloat(getComputedStyle(main).paddingLeft) - 2;
		const narrow = room < 700, least = narrow ? Math.min(190, room * 0.5) : 330;
		// Names lie if there is room for all, and else stand.
		const fits = Math.floor((room - least) / subjects.length);
		const longest = Math.max(40, ...subjects.map((s) => 7.2 * (s.adapter || s.store).length + 6));
		const upright = fits < longest;
		const col = upright ? Math.max(narrow ? 26 : 19, Math.min(40, fits)) : longest;
		const first = Math.max(least, Math.min(760, room - col * subjects.length));
		const table = element("table", {
			class: "matrix", role: "grid", "aria-label": kinds[kind].title, "data-kind": kind,
			style: `--first:${first}px;--col:${col}px;--columns:${subjects.length}`,
		}, element("colgroup", {}, element("col"), ...subjects.map(() => element("col"))));
		const edges = new Set(); // the first column of each store
		if (kind === "pair") subjects.forEach((s, i) => { if (i > 0 && subjects[i - 1].store !== s.store) edges.add(s); });
		table.append(head(kind, subjects, col, upright, edges));
		let body, group;
		for (const c of checks) {
			const title = c.group + " " + c.level;
			if (title !== group) {
				group = title;
				body = element("tbody");
				const members = checks.filter((other) => other.group + " " + other.level === title);
				body.append(element("tr", { class: "group" }, element("th", { scope: "rowgroup" }, element("b", {}, c.group),
					element("span", {}, `level ${c.level}: ${told(count(subjects, members))}`)), element("td", { colspan: subjects.length })));
				table.append(body);
			}
			const row = element("tr", {}, element("th", { class: "check", scope: "row", title: c.why },
				element("b", {}, c.id), element("span", {}, c.why)));
			for (const s of subjects) {
				const letter = s.outcomes[c.index], o = outcomes[letter];
				const td = document.createElement("td");
				td.className = o ? "c " + letter : "c none";
				td.setAttribute("role", "gridcell");
				if (edges.has(s)) td.classList.add("edge");
				if (o) {
					td.tabIndex = -1;
					td.textContent = o.sign;
					td.dataset.s = s.index;
					td.dataset.c = c.index;
					if (!shown.get(s).has(c.index)) td.classList.add("dim");
				}
				row.append(td);
			}
			body.append(row);
		}
		const start = table.querySelector("td[data-s]");
		if (start) start.tabIndex = 0;
		const id = "t-" + kind;
		// Until it comes into view, a section is only given its size, roughly.
		const size = `contain-intrinsic-size:${first + col * subjects.length}px auto ${150 + 38 * checks.length}px`;
		return element("section", { "aria-labelledby": id, style: "content-visibility:auto;" + size }, element("h2", { id }, kinds[kind].title,
			element("small", {}, `${kinds[kind].about}; ${checks.length} checks × ${subjects.length}: ${told(count(subjects, checks))}`)), table);
	}

	function head(kind, subjects, col, upright, edges) {
		const corner = (rows) => element("th", { class: "corner", rowspan: rows, scope: "col" }, "check");
		const cell = (text, attributes, stands, edge) => element("th", { ...attributes, title: text,
			class: (attributes.class || "") + (stands ? " upright" : "") + (edge ? " edge" : "") }, element("span", {}, text));
		if (kind !== "pair") {
			return element("thead", {}, element("tr", {}, corner(1),
				...subjects.map((s) => cell(s.store || s.adapter, { scope: "col" }, upright))));
		}
		const spans = [];
		for (const s of subjects) {
			if (spans.length && spans.at(-1).store === s.store) spans.at(-1).n++;
			else spans.push({ store: s.store, n: 1 });
		}
		return element("thead", {},
			element("tr", {}, corner(2), ...spans.map((s, i) => cell(s.store, { class: "store", colspan: s.n, scope: "colgroup" }, Math.max(...s.store.split("-").map((part) => part.length)) * 7.2 > s.n * col, i > 0))),
			element("tr", {}, ...subjects.map((s) => cell(s.adapter, { scope: "col" }, upright, edges.has(s)))));
	}

	function change(part) {
		state = { ...state, ...part };
		writeHash();
		showState();
	}

	function showState() {
		if (document.activeElement !== form.q) form.q.value = state.q;
		for (const name of ["adapter", "backend", "level"]) form[name].value = state[name];
		for (const input of form.querySelectorAll("[name=outcome]")) input.checked = input.value === state.outcome;
		draw();
		showDetail();
	}

	// The open cell is in the state as the subject and the check.
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
		const rows = [
			["Subject", s.name],
			["Level", c.level],
			["Outcome", element("span", {}, element("span", { class: "key " + letter, "aria-hidden": "true" }, outcomes[letter].sign), " " + outcomes[letter].word)],
			["Took", s.took[c.index] + " ms"],
		];
		detail.querySelector("dl").replaceChildren(...rows.flatMap(([k, v]) => [element("dt", {}, k), element("dd", {}, v)]));
		$("detail-reason").hidden = !reason;
		$("detail-reason").textContent = reason || "";
	}

	const cellElement = (s, c) => tables.querySelector(`td[data-s="${s.index}"][data-c="${c.index}"]`);

	function markCell() {
		for (const td of tables.querySelectorAll("[aria-selected=true]")) td.removeAttribute("aria-selected");
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

	// reveal scrolls to a cell: the head and the first column lie over what is below them. space is for
	// what else should be seen below the cell.
	function reveal(td, space) {
		const box = td.getBoundingClientRect(), frame = main.getBoundingClientRect(), table = td.closest("table");
		const top = frame.top + table.tHead.offsetHeight, left = frame.left + table.querySelector(".corner").offsetWidth;
		main.scrollBy(
			box.left < left ? box.left - left : Math.max(0, box.right - frame.left - main.clientWidth),
			box.top < top ? box.top - top : Math.max(0, box.bottom + space - frame.top - main.clientHeight));
	}

	// move goes from a cell to the next one in a direction that has a result.
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
	if (td) td.scrollIntoView({ block: "nearest" }); // sizes below are rough until now
	if (td) reveal(td, main.clientHeight * 0.6);
})();
