// The map of guest memory.
'use strict';

const ALL = 15;
const CELL = 13;      // CSS pixels
const CELLS_MAX = 4096;
const RUNS_MAX = 300; // rows of the table of ranges

// The name of rights; with MBEC, k or u marks a right to execute in one of kernel and user mode.
function rightsName(access) {
  if (!access) return 'none';
  const execute = access & 12;
  return (access & 1 ? 'R' : '') + (access & 2 ? 'W' : '') + (execute ? 'X' : '') +
    (execute === 4 ? 'k' : execute === 8 ? 'u' : '');
}

// Rights that share a colour and a glyph.
function rightsKind(access) {
  const plain = access & 3 | (access & 12 ? 4 : 0);
  return {0: '0', 1: '1', 3: '3', 5: '5', 7: '15'}[plain] || 'x';
}

const kindsOfRights = [
  ['15', 'all (RWX)'], ['3', 'no execution (RW)'], ['5', 'no writing (RX)'], ['1', 'reading only (R)'],
  ['0', 'no access'], ['x', 'other'],
];

// Draws a glyph, so that rights can be distinguished without colours.
function drawGlyph(context, kind, x, y, size) {
  context.strokeStyle = colour(kind === '0' ? 'glyph-0' : 'glyph');
  context.lineWidth = 1;
  context.beginPath();
  const low = x + size * 0.25, high = x + size * 0.75, top = y + size * 0.25, bottom = y + size * 0.75;
  const middle = y + size / 2;
  if (kind === '0') {
    context.moveTo(low, top); context.lineTo(high, bottom);
    context.moveTo(high, top); context.lineTo(low, bottom);
  } else if (kind === '1') {
    context.moveTo(low, bottom); context.lineTo(high, top);
  } else if (kind === '5') {
    context.moveTo(low, middle); context.lineTo(high, middle);
  } else if (kind === '3') {
    context.moveTo(x + size / 2, top); context.lineTo(x + size / 2, bottom);
  } else if (kind === 'x') {
    context.arc(x + size / 2, middle, size * 0.2, 0, 7);
  }
  context.stroke();
}

function drawCell(context, parts, x, y, size) {
  // Heights are in proportion to the sizes, but at least 2 pixels except for the last part.
  const total = parts.reduce((sum, part) => sum + part[1], 0);
  let top = y;
  parts.forEach(([kind, part], i) => {
    const height = i === parts.length - 1 ? y + size - top : Math.max(Math.round(part / total * size), 2);
    context.fillStyle = colour('access-' + kind);
    context.fillRect(x, top, size, height);
    top += height;
  });
  if (parts.length === 1 && parts[0][0] !== '15') drawGlyph(context, parts[0][0], x, y, size);
}

class MemoryMap {
  constructor() {
    const memory = this.memory = data.memory;
    const numbers = unpack(memory.changes);
    let time = 0, first = 0;
    this.ranges = memory.ranges.map(([gpn, pages]) => {
      const range = {gpn, pages, first};
      first += pages;
      return range;
    });
    this.pages = first;
    this.changes = [];
    for (let i = 0; i + 4 < numbers.length; i += 5) {
      time += numbers[i];
      this.changes.push({time, vtl: numbers[i + 1], first: numbers[i + 2], count: numbers[i + 3], access: numbers[i + 4]});
    }
    // Changes at the same time are one step.
    this.steps = [];
    if (memory.history)
      this.changes.forEach((change, i) => {
        if (i && change.time === this.changes[i - 1].time) this.steps[this.steps.length - 1].end = i + 1;
        else this.steps.push({time: change.time, end: i + 1});
      });
    this.state = new Map(memory.vtls.map((vtl) => [vtl, new Uint8Array(memory.grains)]));
    this.done = -1;
    this.canvases = new Map();
    this.choosePart();
    this.build();
    this.goTo(this.steps.length);
    redraws.push(() => this.draw());
  }

  // The part from the first to the last grain that is ever restricted.
  choosePart() {
    let low = Infinity, high = 0;
    for (const change of this.changes) {
      if (change.access === ALL) continue;
      low = Math.min(low, change.first);
      high = Math.max(high, change.first + change.count);
    }
    this.parts = {all: [0, this.memory.grains], denied: low < high ? [low, high] : [0, this.memory.grains]};
    this.part = 'all';
  }

  build() {
    const memory = this.memory;
    const about = byId('memory-about');
    if (!memory.grains) {
      about.textContent = 'Nothing was restricted, and the trace has no ranges of memory.';
      byId('memory-bar').hidden = true;
      return;
    }
    const size = this.pages * 4096 >= 2 ** 30 ? `${Number((this.pages / 2 ** 18).toFixed(2))} GiB` : `${Number((this.pages / 256).toFixed(2))} MiB`;
    about.textContent = (memory.guessed ? 'This trace has no ranges of memory; the map ends at the last page that was restricted. '
      : `${size} in ${plural(this.ranges.length, 'range')}. `) +
      (memory.vtls.length ? `${plural(memory.changeCount, 'change')} of protection. ` : 'Nothing was restricted. ') +
      (memory.grain > 1 ? `Looked at in grains of ${count(memory.grain)} pages: one that is restricted in part counts as restricted. ` : '') +
      (!memory.history ? 'There are too many changes to show them all: the map shows the final state.' : '');
    const slider = byId('when');
    slider.max = this.steps.length;
    byId('when-box').hidden = !this.steps.length;
    slider.addEventListener('input', () => this.goTo(Number(slider.value)));
    byId('part').addEventListener('change', (event) => { this.part = event.target.value; this.draw(); });
    for (const vtl of memory.vtls) this.buildMap(vtl);
    byId('memory-bar').hidden = !memory.vtls.length;
  }

  buildMap(vtl) {
    const box = element('div', undefined, {className: 'map'});
    const canvas = element('canvas', undefined, {tabIndex: 0});
    const details = element('details');
    const title = element('h3', `What VTL${vtl} may do`);
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-label', `Map of memory as VTL${vtl} may use it; arrow keys move`);
    details.append(element('summary', 'Ranges as a table'));
    details.addEventListener('toggle', () => this.fillTable(vtl, details));
    box.append(title, canvas, details);
    byId('maps').append(box);
    this.canvases.set(vtl, {canvas, details, title, at: 0});
    canvas.addEventListener('pointermove', (event) => this.showCell(vtl, this.cellAt(event.offsetX, event.offsetY)));
    canvas.addEventListener('focus', () => this.showCell(vtl, this.canvases.get(vtl).at));
    canvas.addEventListener('keydown', (event) => {
      const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns}[event.key];
      if (!step) return;
      event.preventDefault();
      this.showCell(vtl, clamp(this.canvases.get(vtl).at + step, 0, this.cells - 1));
    });
    new ResizeObserver(() => this.draw()).observe(box);
  }

  goTo(step) {
    const end = this.memory.history ? (step ? this.steps[step - 1].end : 0) : this.changes.length;
    if (end < this.done || this.done < 0) {
      this.state.forEach((state) => state.fill(ALL));
      this.done = 0;
    }
    for (; this.done < end; this.done++) {
      const change = this.changes[this.done];
      this.state.get(change.vtl).fill(change.access, change.first, change.first + change.count);
    }
    byId('when').value = step;
    byId('when-text').textContent = !this.steps.length ? '' : `step ${count(step)} of ${count(this.steps.length)}` +
      (step ? `, at ${moment(this.steps[step - 1].time, data.duration / 100)}` : ', before the first');
    this.draw();
  }

  goToTime(time) {
    if (this.steps.length) this.goTo(lastAtMost(this.steps.map((step) => step.time), time) + 1);
  }

  get grains() { return this.parts[this.part]; }

  layout(canvas) {
    this.columns = Math.max(2 ** Math.floor(Math.log2(Math.max((canvas.clientWidth - 110) / CELL, 8))), 8);
    const [low, high] = this.grains;
    const most = Math.min(CELLS_MAX, this.columns * 24);
    this.perCell = 2 ** Math.max(Math.ceil(Math.log2((high - low) / most)), 0);
    this.start = Math.floor(low / this.perCell) * this.perCell;
    this.cells = Math.ceil((high - this.start) / this.perCell);
  }

  cellAt(x, y) {
    const column = Math.floor((x - 110) / CELL), row = Math.floor(y / CELL);
    const cell = row * this.columns + column;
    return column >= 0 && column < this.columns && cell < this.cells ? cell : -1;
  }

  // The number of a page does not count holes between ranges.
  address(page) {
    const range = this.ranges.find((one) => page < one.first + one.pages) || this.ranges[this.ranges.length - 1];
    return (range.gpn + page - range.first) * 4096;
  }

  // Maps the rights in a range of grains to the number of grains.
  rights(vtl, first, end) {
    const state = this.state.get(vtl), found = new Map();
    for (let i = first; i < end; i++) found.set(state[i], (found.get(state[i]) || 0) + 1);
    return found;
  }

  draw() {
    for (const [vtl, {canvas}] of this.canvases) this.drawMap(vtl, canvas);
    for (const [vtl, {details}] of this.canvases) this.fillTable(vtl, details);
  }

  drawMap(vtl, canvas) {
    this.layout(canvas);
    const rows = Math.ceil(this.cells / this.columns);
    const context = prepare(canvas, canvas.clientWidth, rows * CELL + 2);
    const [, high] = this.grains;
    context.font = '11px ui-monospace, monospace';
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    let denied = 0;
    for (let cell = 0; cell < this.cells; cell++) {
      const first = this.start + cell * this.perCell, end = Math.min(first + this.perCell, high);
      const byKind = new Map();
      for (const [access, grains] of this.rights(vtl, first, end)) {
        const kind = rightsKind(access);
        byKind.set(kind, (byKind.get(kind) || 0) + grains);
        if (access !== ALL) denied += grains;
      }
      const parts = kindsOfRights.map(([kind]) => [kind, byKind.get(kind) || 0]).filter((part) => part[1]).reverse();
      const x = 110 + cell % this.columns * CELL, y = Math.floor(cell / this.columns) * CELL;
      drawCell(context, parts, x, y, CELL - 1.5);
      if (cell % this.columns === 0 && (rows < 8 || cell / this.columns % 4 === 0)) {
        context.fillStyle = colour('quiet');
        context.fillText(hex(this.address(first * this.memory.grain)), 100, y + CELL / 2);
      }
    }
    const pages = denied * this.memory.grain;
    const each = this.perCell * this.memory.grain;
    this.canvases.get(vtl).title.textContent = `What VTL${vtl} may do: ${plural(pages, 'page')} restricted` +
      ` (a cell is ${each === 1 ? 'one page' : plural(each, 'page')})`;
    canvas.dataset.restricted = pages;
  }

  showCell(vtl, cell) {
    const text = byId('cell');
    if (cell < 0) return;
    const {canvas} = this.canvases.get(vtl);
    this.canvases.get(vtl).at = cell;
    this.layout(canvas);
    const first = this.start + cell * this.perCell, end = Math.min(first + this.perCell, this.grains[1]);
    const grain = this.memory.grain;
    const rights = [...this.rights(vtl, first, end)].sort((a, b) => a[0] - b[0])
      .map(([access, grains]) => `${plural(grains * grain, 'page')} ${rightsName(access)}`).join(', ');
    text.textContent = `VTL${vtl}, GPA ${hex(this.address(first * grain))} to ` +
      `${hex(this.address(Math.min(end * grain, this.pages) - 1) + 4095)}: ${rights}`;
  }

  *runs(vtl) {
    const state = this.state.get(vtl), grain = this.memory.grain;
    for (const range of this.ranges) {
      const end = Math.ceil((range.first + range.pages) / grain);
      for (let i = Math.floor(range.first / grain); i < end;) {
        let to = i + 1;
        while (to < end && state[to] === state[i]) to++;
        if (state[i] !== ALL) yield [this.address(i * grain), Math.min(to * grain, this.pages) - i * grain, state[i]];
        i = to;
      }
    }
  }

  fillTable(vtl, details) {
    details.querySelectorAll('table, p').forEach((old) => old.remove());
    if (!details.open) return;
    const table = element('table');
    const head = element('tr');
    for (const name of ['From', 'To', 'Pages', 'Rights']) head.append(element('th', name, {scope: 'col'}));
    table.append(head);
    let rows = 0;
    for (const [from, pages, access] of this.runs(vtl)) {
      if (++rows > RUNS_MAX) break;
      const row = element('tr');
      row.append(element('td', hex(from), {className: 'code'}), element('td', hex(from + pages * 4096 - 1), {className: 'code'}),
        element('td', count(pages)), element('td', rightsName(access)));
      table.append(row);
    }
    details.append(table);
    if (rows > RUNS_MAX) details.append(element('p', `These are the first ${RUNS_MAX} ranges.`));
    if (!rows) details.append(element('p', 'Nothing is restricted now.'));
  }

  drawLegend() {
    const list = byId('rights');
    list.textContent = '';
    if (!this.memory.vtls.length) return;
    const seen = new Set([ALL, ...this.changes.map((change) => change.access)].map(rightsKind));
    for (const [kind, name] of kindsOfRights) {
      if (!seen.has(kind)) continue;
      const canvas = element('canvas');
      drawCell(prepare(canvas, 18, 18), [[kind, 1]], 1, 1, 16);
      const entry = element('li');
      entry.append(canvas, name);
      list.append(entry);
    }
  }
}
