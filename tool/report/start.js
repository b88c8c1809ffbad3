'use strict';

function fillHeader() {
  document.title = `${data.file}: VSM trace`;
  byId('file').textContent = data.file;
  byId('made').textContent = data.made;
  const vtls = new Set(data.shares.map((share) => share.vtl));
  const number = (name) => data.counts.find((group) => group.name === name).rows.reduce((sum, row) => sum + row[1], 0) +
    data.counts.find((group) => group.name === name).rest;
  const tiles = [
    ['Length', span(data.duration)], ['Processors', count(data.vps)], ['VTLs seen', count(vtls.size)],
    ['Records', count(data.records)], ['Exits', data.exits === null ? 'not known' : count(data.exits)],
    ['VTL switches', count(data.switches)], ['Hypercalls', count(number('hypercalls'))],
    ['Intercepts', count(data.intercepts.total)], ['Interrupts', count(number('interrupts'))],
  ];
  for (const [name, value] of tiles) {
    const tile = element('div');
    tile.append(element('dt', name), element('dd', value));
    byId('tiles').append(tile);
  }
  byId('about').textContent = 'Activity of the virtual trust levels of a partition, from a trace of vsm run.';
}

function fillNotices() {
  const {sliceCell, markCell} = data.timeline;
  const notices = [
    data.cut && `The trace is incomplete: ${data.cut}.`,
    data.lost && `${plural(data.lost, 'record')} were lost while the trace was made: times and counts lack them.`,
    sliceCell && `There are more VTL switches than this page keeps: within ${span(sliceCell)} it has the time of each VTL, but not the order.`,
    markCell && `There are more events than this page keeps: those of one kind within ${span(markCell)} are one mark.`,
    data.otherKinds && `${plural(data.otherKinds, 'event')} are of kinds beyond the limit of the counts.`,
    data.version < 2 && 'This trace is of version 1: it lacks instructions and the layout of memory.',
    data.duration === 0 && 'The trace has no length: there is nothing to zoom.',
  ];
  for (const notice of notices) if (notice) byId('notices').append(element('li', notice));
}

fillHeader();
fillNotices();
const timeline = new Timeline();
const memoryMap = new MemoryMap();
timeline.onCursor = (time) => memoryMap.goToTime(time);
fillShares();
fillCounts();
new Intercepts(timeline);
const drawLegends = () => {
  timeline.drawLegend();
  memoryMap.drawLegend();
};
redraws.push(drawLegends);
drawLegends();
timeline.draw();
memoryMap.draw();
document.documentElement.dataset.ready = 'yes';
