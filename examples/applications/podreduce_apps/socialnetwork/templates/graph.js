"use strict";
(() => {
  const layers = JSON.parse(document.getElementById("data").textContent);
  const canvas = document.getElementById("canvas"), context = canvas.getContext("2d");
  const find = document.getElementById("find"), names = document.getElementById("names"), facts = document.getElementById("facts");
  const buttons = [...document.querySelectorAll("[data-layer]")];
  const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let layer = layers[0], chosen = -1, view = { x: 0.5, y: 0.5, zoom: 1 };

  for (const each of layers) {
    each.near = each.nodes.map(() => []);
    for (const [a, b] of each.edges) { each.near[a].push(b); each.near[b].push(a); }
    each.heaviest = each.edges.reduce((most, edge) => Math.max(most, edge[2]), 1e-9);
  }

  const unit = () => 0.9 * Math.min(canvas.clientWidth, canvas.clientHeight) * view.zoom;
  const toScreen = node => [canvas.clientWidth / 2 + (node.x - view.x) * unit(), canvas.clientHeight / 2 + (node.y - view.y) * unit()];
  const radius = node => (2.5 + 9 * node.size) * Math.sqrt(Math.min(view.zoom, 9)) * Math.min(1, canvas.clientWidth / 700);

  function drawEdges(isShown, alpha) {
    context.strokeStyle = style("--ink");
    for (const [a, b, weight] of layer.edges) {
      if (!isShown(a, b)) continue;
      context.globalAlpha = alpha;
      context.lineWidth = 0.4 + (layer === layers[1] ? 6 : 2) * weight / layer.heaviest;
      context.beginPath();
      context.moveTo(...toScreen(layer.nodes[a]));
      context.lineTo(...toScreen(layer.nodes[b]));
      context.stroke();
    }
  }

  function drawNode(node, alpha) {
    const [x, y] = toScreen(node);
    context.globalAlpha = alpha;
    context.fillStyle = node.colour;
    context.beginPath();
    context.arc(x, y, radius(node), 0, 2 * Math.PI);
    context.fill();
    if (!node.mark) return;
    context.strokeStyle = style("--ink");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, radius(node) + 3, 0, 2 * Math.PI);
    context.stroke();
  }

  function drawName(node, taken) {
    const [x, y] = toScreen(node), width = context.measureText(node.name).width + radius(node) + 6;
    if (taken.some(([a, b, wide]) => Math.abs(b - y) < 15 && x < a + wide && a < x + width)) return;
    taken.push([x, y, width]);
    context.globalAlpha = 1;
    context.lineWidth = 3;
    context.strokeStyle = style("--panel");
    context.fillStyle = style("--ink");
    context.strokeText(node.name, x + radius(node) + 4, y + 4);
    context.fillText(node.name, x + radius(node) + 4, y + 4);
  }

  function draw() {
    const scale = window.devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * scale;
    canvas.height = canvas.clientHeight * scale;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.font = "13px system-ui, sans-serif";
    const near = new Set(chosen < 0 ? [] : [chosen, ...layer.near[chosen]]);
    drawEdges(() => true, chosen < 0 ? 0.16 : 0.05);
    if (chosen >= 0) drawEdges((a, b) => a === chosen || b === chosen, 0.7);
    layer.nodes.forEach((node, index) => drawNode(node, chosen < 0 || near.has(index) ? 1 : 0.18));
    const least = chosen < 0 ? (layer === layers[1] ? 0 : 0.8 / view.zoom) : 2;
    const named = layer.nodes.filter((node, index) => near.has(index) || node.size >= least || (chosen < 0 && node.mark));
    const first = node => (node === layer.nodes[chosen] ? 2 : 0) + (node.mark ? 1 : 0), taken = [];
    named.sort((a, b) => first(b) - first(a) || b.size - a.size).forEach(node => drawName(node, taken));
  }

  function choose(index) {
    chosen = index;
    facts.textContent = index < 0 ? "Nothing is chosen." :
      `${layer.nodes[index].name}: ${layer.nodes[index].facts}. ${layer.near[index].length} drawn edges.`;
    draw();
  }

  function show(number) {
    layer = layers[number];
    buttons.forEach(button => button.setAttribute("aria-pressed", String(Number(button.dataset.layer) === number)));
    names.replaceChildren(...layer.nodes.map(node => new Option(node.name)));
    view = { x: 0.5, y: 0.5, zoom: 1 };
    choose(-1);
  }

  function zoomAt(x, y, factor) {
    const before = unit(), from = [x - canvas.clientWidth / 2, y - canvas.clientHeight / 2];
    view.zoom = Math.min(60, Math.max(0.5, view.zoom * factor));
    view.x += from[0] * (1 / before - 1 / unit());
    view.y += from[1] * (1 / before - 1 / unit());
    draw();
  }

  function nearest(x, y) {
    let best = -1, least = 14;
    layer.nodes.forEach((node, index) => {
      const [a, b] = toScreen(node), distance = Math.hypot(a - x, b - y) - radius(node);
      if (distance < least) { least = distance; best = index; }
    });
    return best;
  }

  const pointers = new Map();
  let travelled = 0;
  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    travelled = 0;
  });
  canvas.addEventListener("pointermove", event => {
    const last = pointers.get(event.pointerId), other = [...pointers].find(each => each[0] !== event.pointerId);
    if (!last) return;
    const now = [event.offsetX, event.offsetY];
    pointers.set(event.pointerId, now);
    travelled += Math.hypot(now[0] - last[0], now[1] - last[1]);
    if (other) {
      const apart = place => Math.hypot(place[0] - other[1][0], place[1] - other[1][1]) || 1;
      zoomAt((now[0] + other[1][0]) / 2, (now[1] + other[1][1]) / 2, apart(now) / apart(last));
    } else {
      view.x -= (now[0] - last[0]) / unit();
      view.y -= (now[1] - last[1]) / unit();
      draw();
    }
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, event => {
    pointers.delete(event.pointerId);
    if (kind === "pointerup" && travelled < 5) choose(nearest(event.offsetX, event.offsetY));
  });
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    zoomAt(event.offsetX, event.offsetY, Math.exp(-event.deltaY / 400));
  }, { passive: false });
  find.addEventListener("input", () => {
    const text = find.value.trim().toLowerCase();
    const named = layer.nodes.map(node => node.name.toLowerCase());
    const index = text ? [named.indexOf(text), named.findIndex(name => name.includes(text))].find(place => place >= 0) : -1;
    if (index >= 0) Object.assign(view, { x: layer.nodes[index].x, y: layer.nodes[index].y, zoom: Math.max(view.zoom, 2.5) });
    choose(index ?? -1);
  });
  buttons.forEach(button => button.addEventListener("click", () => show(Number(button.dataset.layer))));
  document.getElementById("whole").addEventListener("click", () => { view = { x: 0.5, y: 0.5, zoom: 1 }; choose(-1); });
  window.addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  show(0);
})();
