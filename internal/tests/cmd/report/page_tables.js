function draw() {
	const { shown, counts } = visible();
	for (const b of form.querySelectorAll("[data-count]")) {
		b.textContent = counts[b.dataset.count].toLocaleString("en");
	}
	const total = state.outcome ? counts[state.outcome] : counts[""];
	$("status").textContent = `${total} results shown: ${describeCounts(counts)}`;
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

// overview returns a table with a cell for each subject. Pressing a cell filters by its subject.
function overview() {
	const rows = [
		["stores alone", (s) => s.kind === "store", { adapter: alone, level: "" }],
		["drivers", (s) => s.kind === "driver", { adapter: alone, level: "driver" }],
		...adapters.map((a) => [a, (s) => s.adapter === a, { adapter: a, level: "" }]),
	];
	const columns = [...stores, ""].filter((store) =>
		data.subjects.some((s) => (s.store || "") === store));
	const heads = columns.map((c) => element("th", { scope: "col" }, c || "alone"));
	const head = element("thead", {}, element("tr", {}, element("td"), ...heads));
	const body = element("tbody");
	for (const [title, of, filter] of rows) {
		if (!data.subjects.some(of)) continue;
		const row = element("tr", {}, element("th", { scope: "row" }, title));
		for (const store of columns) {
			const s = data.subjects.find((s) => of(s) && (s.store || "") === store);
			const set = { ...filter, backend: store || alone };
			row.append(s ? element("td", {}, overviewButton(s, set)) : element("td"));
		}
		body.append(row);
	}
	const hint = element("small", {}, "checks that passed; press a cell to see only those");
	return element("section", { "aria-labelledby": "t-overview" },
		element("h2", { id: "t-overview" }, "Overview", hint),
		element("table", { class: "overview" }, head, body));
}

// overviewButton returns a button with the counts of a subject, which sets and resets the filters.
function overviewButton(s, set) {
	const n = count([s], data.checks), ran = n.all - n.n, counts = describeCounts(n);
	const pressed = Object.entries(set).every(([key, value]) => state[key] === value);
	const b = element("button", {
		type: "button", class: n.f ? "f" : n.e ? "e" : n.p ? "p" : "n",
		title: counts, "aria-label": `${s.name}: ${counts}`, "aria-pressed": String(pressed),
	}, n.p === ran ? String(ran) : `${n.p}/${ran}`);
	b.addEventListener("click", () => {
		change(pressed ? { adapter: "", backend: "", level: "" } : set);
		const buttons = [...tables.querySelectorAll(".overview button")];
		buttons.find((again) => again.ariaLabel === b.ariaLabel).focus();
	});
	return b;
}

function section(kind, subjects, checks, shown) {
	const room = main.clientWidth - 2 * parseFloat(getComputedStyle(main).paddingLeft) - 2;
	const narrow = room < 700, least = narrow ? Math.min(190, room * 0.5) : 330;
	// Names are horizontal if there is room for all of them, and vertical otherwise.
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
	if (kind === "pair") {
		subjects.forEach((s, i) => {
			if (i > 0 && subjects[i - 1].store !== s.store) edges.add(s);
		});
	}
	table.append(head(kind, subjects, col, upright, edges));
	let body, group;
	for (const c of checks) {
		const title = c.group + " " + c.level;
		if (title !== group) {
			group = title;
			body = element("tbody");
			const members = checks.filter((other) => other.group + " " + other.level === title);
			const counts = describeCounts(count(subjects, members));
			body.append(element("tr", { class: "group" },
				element("th", { scope: "rowgroup" },
					element("b", {}, c.group), element("span", {}, `level ${c.level}: ${counts}`)),
				element("td", { colspan: subjects.length })));
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
	// A section outside the view has only this approximate size.
	const width = first + col * subjects.length, height = 150 + 38 * checks.length;
	const style = `content-visibility:auto;contain-intrinsic-size:${width}px auto ${height}px`;
	const { title, about } = kinds[kind], counts = describeCounts(count(subjects, checks));
	const summary = `${about}; ${checks.length} checks × ${subjects.length}: ${counts}`;
	return element("section", { "aria-labelledby": id, style },
		element("h2", { id }, title, element("small", {}, summary)), table);
}

function head(kind, subjects, col, upright, edges) {
	const corner = (rows) => element("th", { class: "corner", rowspan: rows, scope: "col" }, "check");
	const cell = (text, attributes, upright, edge) => {
		const classes = (attributes.class || "") + (upright ? " upright" : "") + (edge ? " edge" : "");
		const all = { ...attributes, title: text, class: classes };
		return element("th", all, element("span", {}, text));
	};
	if (kind !== "pair") {
		return element("thead", {}, element("tr", {}, corner(1),
			...subjects.map((s) => cell(s.store || s.adapter, { scope: "col" }, upright))));
	}
	const spans = [];
	for (const s of subjects) {
		if (spans.length && spans.at(-1).store === s.store) spans.at(-1).n++;
		else spans.push({ store: s.store, n: 1 });
	}
	const storeCells = spans.map((s, i) => {
		const longest = Math.max(...s.store.split("-").map((part) => part.length));
		const attributes = { class: "store", colspan: s.n, scope: "colgroup" };
		return cell(s.store, attributes, longest * 7.2 > s.n * col, i > 0);
	});
	const adapterCells = subjects.map((s) =>
		cell(s.adapter, { scope: "col" }, upright, edges.has(s)));
	return element("thead", {},
		element("tr", {}, corner(2), ...storeCells), element("tr", {}, ...adapterCells));
}
