// The data of the page, and functions that the other scripts use.
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);

const byId = (id) => document.getElementById(id);

// The text is never interpreted as HTML.
function element(name, text, properties) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return Object.assign(made, properties);
}

// Decodes numbers that pack.c has packed.
function unpack(text) {
  const bytes = atob(text);
  const numbers = [];
  for (let i = 0; i < bytes.length;) {
    let value = 0, scale = 1, byte;
    do {
      byte = bytes.charCodeAt(i++);
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte & 128);
    numbers.push(value);
  }
  return numbers;
}

// The colour called `name` in page.css, for the light or dark scheme that is in use.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
const vtlColour = (vtl) => colour('vtl' + vtl % 6);

const redraws = [];
const redrawAll = () => redraws.forEach((redraw) => redraw());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redrawAll);

// Width and height in CSS pixels; the canvas has the resolution of the screen.
function prepare(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.style.height = height + 'px';
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

const count = (number) => number.toLocaleString('en-US');
const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many || one + 's'}`;

const units = [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']];

// A length of time, with four significant digits at most.
function span(ns) {
  if (!ns) return '0 s';
  const [unit, name] = units.find(([size]) => ns >= size) || units[3];
  return `${Number((ns / unit).toPrecision(4))} ${name}`;
}

// With the digits that distinguish times within a range of `range` nanoseconds.
function moment(ns, range) {
  return (ns / 1e9).toFixed(clamp(Math.ceil(-Math.log10(Math.max(range, 1) / 1e9)) + 3, 3, 9)) + ' s';
}

const percent = (part) => (part >= 0.0995 ? (100 * part).toFixed(1) : (100 * part).toPrecision(2)) + ' %';
const hex = (number) => '0x' + number.toString(16);
