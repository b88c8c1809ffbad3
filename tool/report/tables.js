'use strict';

const PAGE = 100;      // rows of intercepts at a time
const COUNTS_FIRST = 12; // initial rows of a table of counts

// `part` is 0 to 1.
function meter(part, paint) {
  const cell = element('td', undefined, {className: 'track'});
  const bar = element('span', undefined, {className: 'meter'});
  bar.style.width = `${Math.max(100 * part, 0)}%`;
  if (paint) bar.style.background = `var(--${paint})`;
  cell.append(bar);
  return cell;
}

function headings(names) {
  const row = element('tr');
  for (const [name, number] of names) row.append(element('th', name, {scope: 'col', className: number ? 'number' : ''}));
  return row;
}

function fillShares() {
  const table = byId('shares');
  table.append(headings([['Processor'], ['VTL'], ['Ran for', 1], ['of the trace', 1], [''], ['Halted for', 1], ['Entered', 1]]));
  for (const share of data.shares) {
    const row = element('tr');
    const part = share.running / Math.max(data.duration, 1);
    row.append(element('td', 'VP ' + share.vp), element('td', 'VTL' + share.vtl),
      element('td', span(share.running), {className: 'number'}), element('td', percent(part), {className: 'number'}),
      meter(part, 'vtl' + share.vtl % 6),
      element('td', span(share.halted), {className: 'number'}), element('td', count(share.entries), {className: 'number'}));
    table.append(row);
  }
}

function fillCounts() {
  for (const group of data.counts) {
    if (!group.rows.length) continue;
    const table = element('table');
    const total = group.rows.reduce((sum, row) => sum + row[1], group.rest);
    const most = group.rows[0][1];
    table.append(element('caption', `${group.name[0].toUpperCase()}${group.name.slice(1)}: ${count(total)}`));
    table.append(headings([['What'], ['Count', 1], ['']]));
    group.rows.forEach(([name, number], i) => {
      const row = element('tr', undefined, {hidden: i >= COUNTS_FIRST});
      row.append(element('td', name), element('td', count(number), {className: 'number'}), meter(number / most));
      table.append(row);
    });
    if (group.rest) {
      const row = element('tr', undefined, {hidden: group.rows.length > COUNTS_FIRST});
      row.append(element('td', 'all others'), element('td', count(group.rest), {className: 'number'}), element('td'));
      table.append(row);
    }
    const box = element('div');
    box.append(table);
    if (group.rows.length > COUNTS_FIRST) {
      const all = element('button', `Show all ${group.rows.length}`, {type: 'button'});
      all.addEventListener('click', () => {
        table.querySelectorAll('tr').forEach((row) => { row.hidden = false; });
        all.remove();
      });
      box.append(all);
    }
    byId('count-tables').append(box);
  }
}

// Columns of the table of intercepts; `at` is the index in a row that intercepts.c writes.
const columns = [
  {name: 'First', at: 0, text: (row) => moment(row[0], data.duration / 1000), number: true, go: true},
  {name: 'Last', at: 1, text: (row) => row[2] > 1 ? moment(row[1], data.duration / 1000) : '', number: true},
  {name: 'Count', at: 2, number: true},
  {name: 'VP', at: 3, number: true},
  {name: 'From', at: 4, text: (row) => 'VTL' + row[4]},
  {name: 'To', at: 5, text: (row) => 'VTL' + row[5]},
  {name: 'Kind', at: 6},
  {name: 'GPA, MSR, port or register', at: 7, code: true},
  {name: 'Access', at: 8},
  {name: 'RIP', at: 9, code: true},
  {name: 'Instruction', at: 10, code: true},
  {name: 'Bytes', at: 11, code: true},
  {name: 'Value', at: 12, code: true},
];

class Intercepts {
  constructor(timeline) {
    this.timeline = timeline;
    this.rows = data.intercepts.rows;
    this.sorted = {column: columns[0], down: false};
    this.page = 0;
    const {total, others} = data.intercepts;
    byId('intercepts-about').textContent = !total ? 'There were none.' :
      `${plural(total, 'intercept')}; intercepts that differ only in time and value share a row, which has the last value.` +
      (others ? ` ${count(others)} of them are not shown, as the table is full.` : '');
    this.head();
    byId('filter').addEventListener('input', () => { this.page = 0; this.fill(); });
    byId('page-back').addEventListener('click', () => { this.page--; this.fill(); });
    byId('page-on').addEventListener('click', () => { this.page++; this.fill(); });
    byId('intercepts').parentElement.querySelector('.bar').hidden = !total;
    byId('intercept-table').hidden = !total;
    this.fill();
  }

  head() {
    const row = document.querySelector('#intercept-table thead tr');
    for (const column of columns) {
      const cell = element('th', undefined, {scope: 'col', className: column.number ? 'number' : ''});
      const button = element('button', column.name, {type: 'button'});
      button.addEventListener('click', () => {
        this.sorted = {column, down: this.sorted.column === column && !this.sorted.down};
        this.page = 0;
        this.fill();
      });
      cell.append(button);
      row.append(cell);
      column.head = cell;
    }
  }

  chosen() {
    const words = byId('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
    const {column, down} = this.sorted;
    const texts = (row) => columns.map((one) => this.text(one, row)).join(' ').toLowerCase();
    const chosen = words.length ? this.rows.filter((row) => { const text = texts(row); return words.every((word) => text.includes(word)); })
      : [...this.rows];
    const order = (a, b) => {
      const x = a[column.at], y = b[column.at];
      return typeof x === 'number' ? x - y : x.localeCompare(y, 'en', {numeric: true});
    };
    chosen.sort(down ? (a, b) => order(b, a) : order);
    return chosen;
  }

  text(column, row) {
    return column.text ? column.text(row) : typeof row[column.at] === 'number' ? count(row[column.at]) : row[column.at];
  }

  fill() {
    const rows = this.chosen();
    const pages = Math.max(Math.ceil(rows.length / PAGE), 1);
    this.page = clamp(this.page, 0, pages - 1);
    const from = this.page * PAGE, part = rows.slice(from, from + PAGE);
    const body = document.querySelector('#intercept-table tbody');
    body.textContent = '';
    for (const row of part) {
      const line = element('tr');
      for (const column of columns) line.append(this.cell(column, row));
      body.append(line);
    }
    for (const column of columns) {
      if (column !== this.sorted.column) column.head.removeAttribute('aria-sort');
      else column.head.setAttribute('aria-sort', this.sorted.down ? 'descending' : 'ascending');
    }
    byId('shown').textContent = rows.length ? `rows ${count(from + 1)} to ${count(from + part.length)} of ${count(rows.length)}` : 'no matching rows';
    byId('page-back').disabled = this.page === 0;
    byId('page-on').disabled = this.page === pages - 1;
  }

  cell(column, row) {
    const cell = element('td', undefined, {className: (column.number ? 'number ' : '') + (column.code ? 'code' : '')});
    const text = this.text(column, row);
    if (!column.go) {
      cell.textContent = text;
      return cell;
    }
    const button = element('button', text, {type: 'button', className: 'link', title: 'Show it in the timeline'});
    button.addEventListener('click', () => {
      const half = Math.min(data.duration / 2, 4e6);
      this.timeline.show(row[0] - half, row[0] + half);
      this.timeline.setCursor(row[0]);
      byId('timeline').scrollIntoView();
    });
    cell.append(button);
    return cell;
  }
}
