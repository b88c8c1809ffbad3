// A lane for each processor, with a row for each VTL and rows of marks below them.
'use strict';

const NOTHING = 32;   // state: neither VTL nor halted is known
const GUTTER = 92;    // CSS pixels left of the lanes
const AXIS = 26;
const SHORTEST = 100; // nanoseconds that can be zoomed to

const kinds = [
  {id: 'intercepts', name: 'Intercepts', shape: 'triangle'},
  {id: 'hypercalls', name: 'Hypercalls', shape: 'circle'},
  {id: 'interrupts', name: 'Interrupts and exceptions', shape: 'diamond'},
  {id: 'protections', name: 'Protection changes', shape: 'square'},
];

// Times at which slices begin (and one more, the end), and their states.
function takeSlices(text) {
  const numbers = unpack(text);
  const begin = new Float64Array(numbers.length + 1);
  const state = new Uint8Array(numbers.length);
  numbers.forEach((number, i) => {
    state[i] = number % 64;
    begin[i + 1] = begin[i] + Math.floor(number / 64);
  });
  return {begin, state};
}

function takeMarks(text) {
  const numbers = unpack(text);
  const size = numbers.length / 3;
  const marks = {time: new Float64Array(size), label: new Uint32Array(size), count: new Float64Array(size)};
  let time = 0;
  for (let i = 0; i < size; i++) {
    marks.time[i] = time += numbers[3 * i];
    marks.label[i] = numbers[3 * i + 1];
    marks.count[i] = numbers[3 * i + 2];
  }
  return marks;
}

// -1: no element is at most `value`.
function lastAtMost(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = low + high >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// Kinds of marks can be distinguished without colours.
function drawShape(context, shape, x, y, size) {
  context.beginPath();
  if (shape === 'triangle') {
    context.moveTo(x, y - size);
    context.lineTo(x + size, y + size);
    context.lineTo(x - size, y + size);
  } else if (shape === 'diamond') {
    context.moveTo(x, y - size);
    context.lineTo(x + size, y);
    context.lineTo(x, y + size);
    context.lineTo(x - size, y);
  } else if (shape === 'circle') {
    context.arc(x, y, size * 0.9, 0, 7);
  } else {
    context.rect(x - size * 0.8, y - size * 0.8, size * 1.6, size * 1.6);
  }
  context.fill();
}

function stripes(context, paint) {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 6;
  const draw = tile.getContext('2d');
  draw.strokeStyle = paint;
  draw.lineWidth = 1.2;
  draw.beginPath();
  for (const shift of [-6, 0, 6]) {
    draw.moveTo(shift, 6);
    draw.lineTo(shift + 6, 0);
  }
  draw.stroke();
  return context.createPattern(tile, 'repeat');
}

class Timeline {
  constructor() {
    this.canvas = byId('lanes');
    this.overview = byId('overview');
    this.whole = Math.max(data.duration, 1);
    this.begin = 0;
    this.end = this.whole;
    this.cursor = null;
    this.lanes = data.timeline.lanes.map((lane) => ({
      vp: lane.vp, ...takeSlices(lane.slices),
      marks: Object.fromEntries(kinds.map((kind) => [kind.id, takeMarks(lane[kind.id])])),
    }));
    this.vtls = [...new Set(data.shares.map((share) => share.vtl))].sort((a, b) => b - a);
    // With many processors, rows are lower, and marks are hidden.
    this.row = this.lanes.length > 8 ? 9 : 18;
    this.shown = new Set(this.lanes.length > 8 ? [] : kinds.map((kind) => kind.id));
    this.onCursor = () => {};
    this.controls();
    redraws.push(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  get laneHeight() { return this.vtls.length * this.row + this.shown.size * 11 + 10; }
  get plotWidth() { return Math.max(this.canvas.clientWidth - GUTTER - 8, 10); }
  x(time) { return GUTTER + (time - this.begin) / (this.end - this.begin) * this.plotWidth; }
  time(x) { return this.begin + (x - GUTTER) / this.plotWidth * (this.end - this.begin); }

  show(begin, end) {
    const length = clamp(end - begin, Math.min(SHORTEST, this.whole), this.whole);
    this.begin = clamp(begin, 0, this.whole - length);
    this.end = this.begin + length;
    this.draw();
  }

  zoom(factor, around = (this.begin + this.end) / 2) {
    const length = clamp((this.end - this.begin) * factor, Math.min(SHORTEST, this.whole), this.whole);
    const part = (around - this.begin) / (this.end - this.begin);
    this.show(around - part * length, around - part * length + length);
  }

  pan(part) {
    const shift = part * (this.end - this.begin);
    this.show(this.begin + shift, this.end + shift);
  }

  setCursor(time) {
    this.cursor = clamp(time, 0, this.whole);
    this.onCursor(this.cursor);
    this.draw();
  }

  controls() {
    const press = (id, action) => byId(id).addEventListener('click', action);
    press('zoom-in', () => this.zoom(1 / 2));
    press('zoom-out', () => this.zoom(2));
    press('pan-left', () => this.pan(-1 / 4));
    press('pan-right', () => this.pan(1 / 4));
    press('zoom-all', () => this.show(0, this.whole));
    for (const kind of kinds) {
      const box = element('input', undefined, {type: 'checkbox', checked: this.shown.has(kind.id), id: 'show-' + kind.id});
      const label = element('label');
      box.addEventListener('change', () => {
        if (box.checked) this.shown.add(kind.id);
        else this.shown.delete(kind.id);
        this.draw();
      });
      label.append(box, ' ' + kind.name);
      byId('kinds').append(label);
    }
    this.canvas.addEventListener('keydown', (event) => this.key(event));
    this.canvas.addEventListener('wheel', (event) => this.wheel(event), {passive: false});
    this.canvas.addEventListener('dblclick', (event) => this.zoom(1 / 4, this.time(event.offsetX)));
    this.drag(this.canvas, (from, to, start) => {
      const shift = (from - to) / this.plotWidth * (start.end - start.begin);
      this.show(start.begin + shift, start.end + shift);
    }, (x, y) => { if (x >= GUTTER) { this.setCursor(this.time(x)); this.showReadout(x, y); } });
    const jump = (x) => {
      const half = (this.end - this.begin) / 2;
      const middle = (x - GUTTER) / this.plotWidth * this.whole;
      this.show(middle - half, middle + half);
    };
    this.drag(this.overview, (from, to) => jump(to), jump);
    this.canvas.addEventListener('pointermove', (event) => this.showReadout(event.offsetX, event.offsetY));
  }

  // Calls `move` while a pointer is held and moves, and `click` if it is released where it was
  // pressed.
  drag(canvas, move, click) {
    let start = null;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button) return;
      start = {x: event.offsetX, begin: this.begin, end: this.end, moved: false};
      canvas.setPointerCapture(event.pointerId);
      canvas.classList.add('dragging');
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!start || (!start.moved && Math.abs(event.offsetX - start.x) < 4)) return;
      start.moved = true;
      move(start.x, event.offsetX, start);
    });
    const finish = (event) => {
      if (start && !start.moved && event.type === 'pointerup') click(event.offsetX, event.offsetY);
      start = null;
      canvas.classList.remove('dragging');
    };
    canvas.addEventListener('pointerup', finish);
    canvas.addEventListener('pointercancel', finish);
  }

  key(event) {
    const actions = {
      '+': () => this.zoom(1 / 2), '=': () => this.zoom(1 / 2), '-': () => this.zoom(2),
      ArrowLeft: () => this.pan(-1 / 8), ArrowRight: () => this.pan(1 / 8),
      PageUp: () => this.pan(-1), PageDown: () => this.pan(1),
      Home: () => this.show(0, this.end - this.begin), End: () => this.show(this.whole - this.end + this.begin, this.whole),
      0: () => this.show(0, this.whole),
    };
    if (event.ctrlKey || event.altKey || event.metaKey || !actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }

  wheel(event) {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
      this.pan(Math.sign(event.deltaX || event.deltaY) / 10);
    else
      this.zoom(event.deltaY < 0 ? 1 / 1.4 : 1.4, this.time(Math.max(event.offsetX, GUTTER)));
  }

  draw() {
    const height = AXIS + this.lanes.length * this.laneHeight;
    const context = prepare(this.canvas, this.canvas.clientWidth, height);
    context.font = '12px system-ui, sans-serif';
    context.textBaseline = 'middle';
    this.drawAxis(context, height);
    this.lanes.forEach((lane, i) => this.drawLane(context, lane, AXIS + i * this.laneHeight));
    if (this.cursor !== null && this.cursor >= this.begin && this.cursor <= this.end) {
      context.fillStyle = colour('ink');
      context.fillRect(this.x(this.cursor) - 0.75, 0, 1.5, height);
    }
    this.drawOverview();
    const range = this.end - this.begin;
    byId('range').textContent = `${moment(this.begin, range)} to ${moment(this.end, range)} (${span(range)})`;
    this.canvas.dataset.begin = this.begin;
    this.canvas.dataset.end = this.end;
    byId('zoom-all').disabled = byId('zoom-out').disabled = range >= this.whole;
    byId('pan-left').disabled = this.begin <= 0;
    byId('pan-right').disabled = this.end >= this.whole;
    byId('zoom-in').disabled = range <= SHORTEST;
  }

  drawAxis(context, height) {
    const range = this.end - this.begin;
    let step = 10 ** Math.floor(Math.log10(range / this.plotWidth * 110));
    for (const factor of [1, 2, 5, 10]) {
      if (step * factor / range * this.plotWidth < 90) continue;
      step *= factor;
      break;
    }
    context.textAlign = 'center';
    for (let i = Math.ceil(this.begin / step); i * step <= this.end; i++) {
      const x = this.x(i * step);
      context.fillStyle = colour('line');
      context.fillRect(x, AXIS - 5, 1, height);
      context.fillStyle = colour('quiet');
      const unit = units.find(([size]) => step >= size) || units[3];
      const text = step >= 1e6 ? `${Number((i * step / 1e9).toFixed(3))} s` : moment(i * step, step * 1000);
      context.fillText(unit && text, clamp(x, GUTTER + 20, this.canvas.clientWidth - 34), 10);
    }
  }

  drawLane(context, lane, top) {
    context.textAlign = 'left';
    context.fillStyle = colour('line');
    context.fillRect(0, top, this.canvas.clientWidth, 1);
    context.fillStyle = colour('ink');
    context.font = '600 12px system-ui, sans-serif';
    context.fillText('VP ' + lane.vp, 8, top + 6 + this.row / 2);
    context.font = '11px system-ui, sans-serif';
    this.vtls.forEach((vtl, i) => {
      const y = top + 5 + i * this.row;
      if (this.row > 9) {
        context.fillStyle = colour('quiet');
        context.fillText('VTL' + vtl, 54, y + this.row / 2);
      }
      this.drawRow(context, lane, vtl, y);
    });
    let y = top + 5 + this.vtls.length * this.row + 6;
    for (const kind of kinds) {
      if (!this.shown.has(kind.id)) continue;
      this.drawMarks(context, lane.marks[kind.id], kind, y);
      y += 11;
    }
  }

  // The share of each pixel that is covered by a state, so that slices shorter than a pixel remain visible.
  cover(lane, state) {
    const width = Math.ceil(this.plotWidth);
    const covered = new Float32Array(width);
    const scale = this.plotWidth / (this.end - this.begin);
    for (let i = Math.max(lastAtMost(lane.begin, this.begin), 0); i < lane.state.length && lane.begin[i] < this.end; i++) {
      if (lane.state[i] !== state) continue;
      const from = Math.max((lane.begin[i] - this.begin) * scale, 0);
      const to = Math.min((lane.begin[i + 1] - this.begin) * scale, width);
      for (let x = Math.floor(from); x < to && x < width; x++) covered[x] += Math.min(to, x + 1) - Math.max(from, x);
    }
    return covered;
  }

  drawRow(context, lane, vtl, y) {
    const height = this.row - 3;
    for (const halted of [1, 0]) {
      const covered = this.cover(lane, 2 * vtl + halted);
      const paint = vtlColour(vtl);
      context.fillStyle = halted ? stripes(context, paint) : paint;
      for (let x = 0; x < covered.length;) {
        const strength = Math.ceil(Math.min(covered[x], 1) * 16);
        let to = x + 1;
        while (to < covered.length && Math.ceil(Math.min(covered[to], 1) * 16) === strength) to++;
        if (strength) {
          // Even the shortest slice is visible.
          context.globalAlpha = 0.3 + 0.7 * strength / 16;
          context.fillRect(GUTTER + x, y, to - x, height);
        }
        x = to;
      }
    }
    context.globalAlpha = 1;
  }

  drawMarks(context, marks, kind, y) {
    const paint = colour(kind.id);
    context.fillStyle = paint;
    drawShape(context, kind.shape, GUTTER - 12, y, 3.5);
    let last = -10;
    for (let i = lastAtMost(marks.time, this.begin - 1) + 1; i < marks.time.length && marks.time[i] <= this.end; i++) {
      const x = this.x(marks.time[i]);
      if (x - last < 1) continue; // the previous mark covers it
      const alone = x - last > 8 && (i + 1 >= marks.time.length || this.x(marks.time[i + 1]) - x > 8);
      if (alone) drawShape(context, kind.shape, x, y, 4);
      else context.fillRect(x - 0.5, y - 4, 1.2, 8);
      last = x;
    }
  }

  // A frame shows the range of the lanes.
  drawOverview() {
    const context = prepare(this.overview, this.overview.clientWidth, 34);
    const {begin, end} = this;
    const height = Math.max(30 / Math.max(this.lanes.length, 1), 1);
    this.begin = 0;
    this.end = this.whole;
    this.lanes.slice(0, 30).forEach((lane, i) => {
      for (const vtl of [...this.vtls].reverse()) {
        const covered = this.cover(lane, 2 * vtl);
        context.fillStyle = vtlColour(vtl);
        covered.forEach((part, x) => {
          if (!part) return;
          context.globalAlpha = 0.25 + 0.75 * Math.min(part, 1);
          context.fillRect(GUTTER + x, 2 + i * height, 1, Math.max(height - 1, 1));
        });
      }
    });
    context.globalAlpha = 1;
    const left = this.x(begin), width = Math.max(this.x(end) - left, 2);
    context.fillStyle = colour('card');
    context.globalAlpha = 0.7;
    context.fillRect(GUTTER, 0, left - GUTTER, 34);
    context.fillRect(left + width, 0, GUTTER + this.plotWidth - left - width, 34);
    context.globalAlpha = 1;
    context.strokeStyle = colour('accent');
    context.lineWidth = 1.5;
    context.strokeRect(left, 1, width, 32);
    this.begin = begin;
    this.end = end;
  }

  showReadout(x, y) {
    const lane = this.lanes[Math.floor((y - AXIS) / this.laneHeight)];
    const time = this.time(x);
    if (!lane || x < GUTTER || time > this.end) return;
    const range = this.end - this.begin;
    const i = lastAtMost(lane.begin, time);
    const state = i >= 0 && i < lane.state.length ? lane.state[i] : NOTHING;
    const words = [`VP ${lane.vp}, ${moment(time, range)}:`];
    if (state === NOTHING) words.push('state unknown');
    else words.push(`VTL${state >> 1}${state & 1 ? ', halted' : ''} for ${span(lane.begin[i + 1] - lane.begin[i])}`);
    for (const kind of kinds) {
      if (!this.shown.has(kind.id)) continue;
      const near = this.nearest(lane.marks[kind.id], time, 6 / this.plotWidth * range);
      if (near) words.push('· ' + near);
    }
    byId('hint').textContent = words.join(' ');
  }

  nearest(marks, time, reach) {
    const i = lastAtMost(marks.time, time);
    const best = [i, i + 1].filter((n) => n >= 0 && n < marks.time.length)
      .sort((a, b) => Math.abs(marks.time[a] - time) - Math.abs(marks.time[b] - time))[0];
    if (best === undefined || Math.abs(marks.time[best] - time) > reach) return '';
    const many = marks.count[best] > 1 ? ` × ${count(marks.count[best])}` : '';
    return `${data.timeline.labels[marks.label[best]]}${many} at ${moment(marks.time[best], reach * 100)}`;
  }

  drawLegend() {
    const list = byId('legend');
    list.textContent = '';
    const item = (text, paint) => {
      const canvas = element('canvas');
      const context = prepare(canvas, 18, 18);
      paint(context);
      const entry = element('li');
      entry.append(canvas, text);
      list.append(entry);
    };
    for (const vtl of [...this.vtls].reverse()) {
      item(`VTL${vtl} runs`, (context) => {
        context.fillStyle = vtlColour(vtl);
        context.fillRect(1, 4, 16, 10);
      });
      if (data.shares.some((share) => share.vtl === vtl && share.halted))
        item(`VTL${vtl}, halted`, (context) => {
          context.fillStyle = stripes(context, vtlColour(vtl));
          context.fillRect(1, 4, 16, 10);
        });
    }
    for (const kind of kinds)
      item(kind.name, (context) => {
        context.fillStyle = colour(kind.id);
        drawShape(context, kind.shape, 9, 9, 5);
      });
  }
}
