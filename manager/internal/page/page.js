'use strict';
// Shows status.json, and asks for it again and again. Nothing here is trusted: texts are set as texts, never as HTML.

const every = 2000; // milliseconds
let last = null;    // the latest status
let before = null;  // the one before it, for rates

const byId = (id) => document.getElementById(id);

// make returns an element with classes, and with texts or elements in it.
function make(name, classes, ...parts) {
  const e = document.createElement(name);
  if (classes) e.className = classes;
  e.append(...parts.filter((p) => p !== null && p !== undefined && p !== ''));
  return e;
}

function duration(seconds) {
  if (seconds < 0.0005) return '0 ms';
  if (seconds < 1) return Math.round(seconds * 1000) + ' ms';
  if (seconds < 120) return seconds.toFixed(1) + ' s';
  if (seconds < 7200) return Math.round(seconds / 60) + ' min';
  return Math.round(seconds / 3600) + ' h';
}

const badge = (text, kind) => make('span', 'badge ' + kind, text);

// plot draws lags over time, oldest first; null is a moment when nothing was known.
function plot(lags, step, engine) {
  const known = lags.filter((l) => l !== null);
  if (known.length < 2) return null;
  const most = Math.max(...known), top = Math.max(most, 0.1); // below 100 ms a line stays low
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', `0 0 ${lags.length - 1} 20`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `lag of ${engine} in the last ${duration(lags.length * step)}: at most ${duration(most)}`);
  const base = document.createElementNS(space, 'line');
  for (const [k, v] of [['x1', 0], ['x2', lags.length - 1], ['y1', 19.5], ['y2', 19.5]]) base.setAttribute(k, v);
  svg.append(base);
  let points = [];
  const end = () => {
    if (points.length) {
      const line = document.createElementNS(space, 'polyline');
      if (points.length === 1) points.push(points[0]);
      line.setAttribute('points', points.join(' '));
      svg.append(line);
    }
    points = [];
  };
  lags.forEach((l, i) => { l === null ? end() : points.push(`${i},${(19 - 18 * l / top).toFixed(2)}`); });
  end();
  const out = make('span', 'plot', svg);
  out.append(make('span', 'why', `at most ${duration(most)} in ${duration(lags.length * step)}`));
  return out;
}

const kinds = { 'ok': 'good', 'down': 'bad', 'wrong role': 'bad', 'not serving': 'warn', 'drained': 'warn' };

function cell(label, classes, ...parts) {
  const td = make('td', classes, ...parts);
  td.dataset.label = label;
  return td;
}

function engineRow(e, extra, step) {
  const whys = [e.error, e.role_error, e.not_serving, e.doubt, e.advice, ...(e.warnings || [])].filter(Boolean);
  const state = make('div', '', badge(extra.status, kinds[extra.status] || 'warn'));
  for (const w of new Set(whys)) state.append(make('span', 'why', w));
  const p = extra.pool;
  const tr = make('tr', '',
    cell('Engine', 'name', e.engine),
    cell('State', '', state),
    cell('Server', '', e.reachable ? make('div', '', [e.state, e.version].filter(Boolean).join(' '),
      make('span', 'why', [e.freshness && 'freshness ' + e.freshness, e.pooler].filter(Boolean).join(', '))) : ''),
    cell('Lag', 'number', e.lag_seconds === undefined ? '' : duration(e.lag_seconds)),
    cell('Last minutes', '', e.freshness === 'shared' ? null : plot(extra.lags || [], step, e.engine)),
    cell('Connections', 'number', make('div', '', `${p.in_use} in use, ${p.idle} idle` + (p.max > 0 ? ` of ${p.max}` : ''),
      make('span', 'why', [p.waiting > 0 && `${p.waiting} wait`, p.gave_up > 0 && `${p.gave_up} have waited in vain`].filter(Boolean).join(', ')))));
  tr.dataset.engine = e.engine;
  tr.dataset.status = extra.status;
  return tr;
}

// list returns a titled list of names and values, null if there are none.
function list(title, rows) {
  rows = rows.filter(([, v]) => v !== '' && v !== null && v !== undefined && v !== 0 && v !== '0');
  if (!rows.length) return null;
  const dl = make('dl');
  for (const [k, v] of rows) dl.append(make('dt', '', k), make('dd', '', String(v)));
  return make('div', '', make('h3', '', title), dl);
}

function decisions(bind) {
  const old = before && before.binds.find((b) => b.bind === bind.bind);
  const seconds = before ? (Date.parse(last.at) - Date.parse(before.at)) / 1000 : 0;
  const rows = Object.entries(bind.decisions || {}).sort((a, b) => b[1] - a[1]).map(([reason, n]) => {
    const was = old && old.decisions ? old.decisions[reason] || 0 : n;
    const rate = seconds > 0 && n >= was ? (n - was) / seconds : 0;
    return [reason, rate > 0 ? `${n.toLocaleString('en')} (${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s)` : n.toLocaleString('en')];
  });
  return list('Where statements ran, and why', rows);
}

function migrations(m) {
  if (!m) return null;
  const box = make('div', '', make('h3', '', 'Migrations'));
  if (m.error) box.append(make('span', 'bad', m.error));
  else {
    box.append(make('div', m.pending.length || m.doubted.length ? 'warn' : '', `${m.applied} applied, ${m.pending.length} pending` +
      (m.doubted.length ? `, ${m.doubted.length} in doubt` : '')));
    if (m.pending.length) box.append(make('ul', '', ...m.pending.map((n) => make('li', '', n))));
    if (m.latest) box.append(make('span', 'why', 'latest: ' + m.latest));
  }
  return box;
}

function locks(held) {
  if (!held.length) return null;
  const now = Date.parse(last.at);
  return list('Named locks of this process', held.map((l) => [l.name, duration(Math.max(0, (now - Date.parse(l.since)) / 1000))]));
}

function card(b) {
  const r = b.report;
  const head = make('header', '', make('h2', '', b.bind || '(the only bind)'), make('span', 'faint', r.driver),
    badge(r.ready ? 'ready' : 'not ready', r.ready ? 'good' : 'bad'));
  if (!r.writes) head.append(badge('no writes', 'bad'));
  if (!r.reads) head.append(badge('no reads', 'bad'));
  if (r.ready && !r.ok) head.append(badge('something is wrong', 'warn'));
  const tbody = make('tbody');
  r.engines.forEach((e, i) => tbody.append(engineRow(e, b.engines[i], last.lag_step_seconds)));
  const titles = make('tr');
  for (const t of ['Engine', 'State', 'Server', 'Lag', 'Last minutes', 'Connections']) titles.append(make('th', '', t));
  const wrong = [
    ...r.errors, ...r.missing_tables.map((t) => `table ${t.table} of ${t.model} is missing`),
    ...r.columns.map((c) => `${c.engine}: ${c.table}${c.column ? '.' + c.column : ''}: ${c.reason}`),
  ];
  const c = b.counts;
  const section = make('section', 'bind', head, make('table', '', make('thead', '', titles), tbody),
    wrong.length ? make('ul', 'bad', ...wrong.map((w) => make('li', '', w))) : null,
    make('div', 'parts', decisions(b), list('Counts', [
      ['reads the writer served for want of a reader', c.reads_to_writer], ['of these, refused by fallback_limit', c.fallbacks_refused],
      ['slow statements', c.slow], ['sent again', c.retried], ['refused by a reader as writes', c.refused_as_writes],
      ['writes without an answer', c.outcomes_unknown], ['waiting for a connection now', c.pool_waiting],
      ['gave up waiting for one', c.pool_waits_refused], ['waiting for a named lock now', c.locks_waiting]]),
    locks(b.locks), migrations(b.migrations)));
  section.dataset.bind = b.bind;
  section.dataset.ready = r.ready;
  return section;
}

function line(l) {
  const kind = l.level.startsWith('ERROR') ? 'bad' : l.level.startsWith('WARN') ? 'warn' : 'faint';
  return make('li', '', make('span', 'faint', new Date(l.at).toLocaleTimeString('en-GB') + ' '), make('span', kind, l.level), ' ' + l.text);
}

function show() {
  const wanted = document.querySelector('#filter input').value.trim().toLowerCase();
  const shown = last.binds.filter((b) => !wanted || b.bind.toLowerCase().includes(wanted) || b.report.engines.some((e) => e.engine.toLowerCase().includes(wanted)));
  byId('binds').replaceChildren(...shown.map(card));
  const overall = byId('overall');
  overall.textContent = last.ok ? 'all well' : last.ready ? 'ready, but something is wrong' : 'not ready';
  overall.className = 'badge ' + (last.ok ? 'good' : last.ready ? 'warn' : 'bad');
  document.title = (last.ok ? '' : last.ready ? '(!) ' : '(!!) ') + 'Databases';
  byId('tenants').textContent = last.tenants === undefined ? '' : `${last.tenants} tenants open`;
  byId('errors').replaceChildren(...last.errors.map((e) => make('li', '', e)));
  byId('errors').hidden = !last.errors.length;
  byId('lines').replaceChildren(...last.log.slice().reverse().map(line));
  byId('log').hidden = !last.log.length;
}

// tellAge says how old what is shown is: who looks must not take it for now.
function tellAge(problem) {
  const lost = byId('lost');
  lost.hidden = !problem;
  if (problem) lost.textContent = `No answer from the program (${problem}). What is shown below was true ${last ? 'at ' + new Date(last.at).toLocaleTimeString('en-GB') : 'never'}.`;
  if (last) byId('age').textContent = 'as of ' + new Date(last.at).toLocaleTimeString('en-GB');
}

async function ask() {
  try {
    const answer = await fetch('status.json', { cache: 'no-store', signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error('status ' + answer.status);
    const status = await answer.json();
    if (!last || status.at !== last.at) before = last;
    last = status;
    show();
    tellAge(null);
  } catch (e) {
    tellAge(e.message);
  }
  setTimeout(ask, every);
}

document.querySelector('#filter input').addEventListener('input', () => { if (last) show(); });
ask();
