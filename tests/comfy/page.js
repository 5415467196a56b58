// Functions that the tests call on ComfyUI's page, in both supported versions.
(() => {
  const ended = [];
  for (const type of ["execution_success", "execution_error", "execution_interrupted"])
    app.api.addEventListener(type, ({ detail }) => ended.push({ type, ...detail }));

  const nodes = () => app.graph.nodes;
  const players = (node) =>
    (node.widgets ?? []).filter((widget) => widget.element)
      .flatMap(({ element }) => [element, ...element.querySelectorAll("audio, video")])
      .filter((element) => element instanceof HTMLMediaElement);
  // The position of a node is below its title bar.
  const box = (node) => [node.pos[0], node.pos[1] - LiteGraph.NODE_TITLE_HEIGHT,
                         node.size[0], node.size[1] + LiteGraph.NODE_TITLE_HEIGHT];
  const meet = ([x, y, width, height], [x2, y2, width2, height2]) =>
    x < x2 + width2 && x2 < x + width && y < y2 + height2 && y2 < y + height;
  const pairs = (list) => list.flatMap((one, k) => list.slice(k + 1).map((other) => [one, other]));

  window.seeingHearingTests = {
    ended,
    ids: () => nodes().map(({ id }) => Number(id)), // newer pages hold text
    missing: () => nodes().map(({ type }) => type).filter((type) => !(type in LiteGraph.registered_node_types)),
    zoom: () => app.canvas.ds.scale,
    isCanvasDrawnInItsSize: () => {
      const { canvas } = app.canvas, { width, height } = canvas.getBoundingClientRect();
      return canvas.width === Math.round(width * devicePixelRatio) && canvas.height === Math.round(height * devicePixelRatio);
    },
    // Links that run behind a node: by the titles of the node at their beginning, the one at their end, and that one.
    hidden: () => [...app.graph.links.values()].flatMap((link) => {
      const origin = app.graph.getNodeById(link.origin_id), target = app.graph.getNodeById(link.target_id);
      const curve = spline(origin.getConnectionPos(false, link.origin_slot), target.getConnectionPos(true, link.target_slot));
      const shrunk = ([x, y, width, height]) => [x + 4, y + 4, width - 8, height - 8];
      return nodes().filter((node) => node !== origin && node !== target)
        .filter((node) => curve.some(([x, y]) => meet([x, y, 1, 1], shrunk(box(node)))))
        .map(({ title }) => [origin.title, target.title, title]);
    }),
    overlapping: () => pairs(nodes()).filter(([one, other]) => meet(box(one), box(other)))
      .map((pair) => pair.map(({ title }) => title)),

    // The players of a node with their length in seconds, and its pictures with their size.
    shown: (id) => {
      const node = nodes().find((each) => Number(each.id) === id);
      return [...players(node).map(({ tagName, readyState, duration, error }) =>
                ({ kind: tagName.toLowerCase(), ready: readyState > 0, duration, error: error?.message })),
              ...(node.imgs ?? []).map(({ naturalWidth, naturalHeight }) =>
                ({ kind: "picture", ready: naturalWidth > 0, size: [naturalHeight, naturalWidth] }))];
    },

    prompt: async () => (await app.graphToPrompt()).output,
    // Widgets of these names everywhere. Samplers without guidance get it from a node that has them, far from the others.
    hasten: (values) => {
      const free = nodes().flatMap((node) => (node.inputs ?? []).map(({ name, link }, slot) => ({ node, name, link, slot })))
        .filter(({ name, link }) => name === "guidance" && link == null);
      if (free.length) {
        const search = LiteGraph.createNode("SeeingHearingSearchSettings");
        search.pos = [-5000, -5000];
        app.graph.add(search);
        free.forEach(({ node, slot }) => search.connect(0, node, slot));
      }
      nodes().flatMap(({ widgets }) => widgets ?? []).filter(({ name }) => name in values)
        .forEach((widget) => { widget.value = values[widget.name]; });
    },
    openGraph: (graph) => app.loadGraphData(graph),
    // A subgraph of the node library, wired: from a core node to its input, and from its result to a node that shows it.
    addSubgraph: async (name, giver, file, taken, result, steps) => {
      const library = await (await app.api.fetchApi("/global_subgraphs")).json();
      const [id] = Object.entries(library).find(([, each]) => each.name === name);
      const { data } = await (await app.api.fetchApi(`/global_subgraphs/${id}`)).json();
      await app.loadGraphData(JSON.parse(data));
      const [task] = nodes();
      [task, ...task.subgraph.nodes].flatMap(({ widgets }) => widgets ?? [])
        .filter(({ name }) => ["steps", "audio_steps"].includes(name)).forEach((widget) => { widget.value = steps; });
      const slot = task.outputs.findIndex((output) => output.name === result);
      const add = (type, x) => {
        const node = LiteGraph.createNode(type);
        node.pos = [x, 0];
        app.graph.add(node);
        return node;
      };
      if (giver) {
        const loader = add(giver, -450);
        loader.widgets[0].value = file;
        loader.connect(0, task, task.inputs.findIndex((input) => input.name === taken));
      }
      task.connect(slot, add(task.outputs[slot].type === "VIDEO" ? "SaveVideo" : "PreviewAudio", 450), 0);
      await new Promise((done) => setTimeout(done, 1000));
      return [...task.inputs.filter((input) => !input.widget).map(({ name }) => name), ...task.widgets.map(({ name }) => name)];
    },
    openPrompt: (prompt) => app.loadApiJson(prompt, "prompt"),
    // Fit the graph without notes between the menus. Returns its edges on the page: left, top, right, bottom.
    // The page may still be moving to another view: it is held here for a while.
    frame: async ({ left, top, right, bottom }) => {
      const groups = app.graph.groups.map(({ pos, size }) => [...pos, ...size]);
      const boxes = [...groups, ...nodes().filter(({ type }) => type !== "MarkdownNote").map(box)];
      const edge = 30; // the marks above title bars
      const x = Math.min(...boxes.map(([x]) => x)) - edge, y = Math.min(...boxes.map(([, y]) => y)) - edge;
      const width = Math.max(...boxes.map(([x, , width]) => x + width)) + edge - x;
      const height = Math.max(...boxes.map(([, y, , height]) => y + height)) + edge - y;
      const { ds, canvas } = app.canvas, place = canvas.getBoundingClientRect();
      for (const end = performance.now() + 3000; performance.now() < end;) {
        ds.scale = Math.min((innerWidth - left - right) / width, (innerHeight - top - bottom) / height);
        ds.offset[0] = (left - place.left) / ds.scale - x;
        ds.offset[1] = (top - place.top) / ds.scale - y;
        app.canvas.setDirty(true, true);
        await new Promise(requestAnimationFrame);
      }
      return [left, top, left + width * ds.scale, top + height * ds.scale];
    },

    reopen: () => app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize()))),

    // A node of every type, in a row. No widget has its default value. Every socket is wired to the first node with an
    // output of its type. The server may refuse some values: the graph is saved and opened, but does not run.
    fill: (types) => {
      app.graph.clear();
      const made = types.map((type, k) => {
        const node = LiteGraph.createNode(type);
        node.pos = [400 * k, 0];
        app.graph.add(node);
        return node;
      });
      for (const node of made) {
        for (const widget of node.widgets ?? []) change(widget);
        for (const [slot, input] of node.inputs.entries()) {
          if (input.widget || input.link) continue;
          const takes = String(input.type).split(",");
          const giver = made.find((other) => other !== node && other.outputs.some(({ type }) => takes.includes(type)));
          giver?.connect(giver.outputs.findIndex(({ type }) => takes.includes(type)), node, slot);
        }
      }
      return made.flatMap((node) => node.inputs.filter((input) => !input.widget && !input.link)
        .map((input) => `${node.type}.${input.name}`));
    },
  };

  // Points of a link as the page draws it: a Bezier curve that leaves and arrives horizontally.
  function spline([x1, y1], [x2, y2]) {
    const reach = Math.hypot(x2 - x1, y2 - y1) / 4;
    const point = (t, a, b, c, d) => (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t * t * c + t ** 3 * d;
    return Array.from({ length: 101 }, (_, k) =>
      [point(k / 100, x1, x1 + reach, x2 - reach, x2), point(k / 100, y1, y1, y2, y2)]);
  }

  function change(widget) {
    const { min = 0, max = 1, values } = widget.options ?? {};
    const options = typeof values === "function" ? values(widget) : values;
    if (widget.type === "button") return;
    if (Array.isArray(options)) widget.value = options.at(-1);
    else if (typeof widget.value === "boolean") widget.value = !widget.value;
    else if (typeof widget.value === "number") widget.value = widget.value === min ? max : min;
    else if (typeof widget.value === "string") widget.value = `changed, "quoted" and\nin two lines: ${widget.name}`;
  }
})();
