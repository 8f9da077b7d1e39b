import type { Struck } from './nemesis.ts';
import type { FaultKind } from './plan.ts';
import { clock, type Outcome } from './run.ts';

const WIDTH = 1_400;
const LEFT = 150;
const RIGHT = 28;
const PLOT = WIDTH - LEFT - RIGHT;
const INK = '#22252a';
const FAINT = '#6b6f76';
const LINE = '#e2dfd9';
const WORK = '#1f6a82';
const GOOD = '#2e8b57';
const BAD = '#b8372e';
const REGION_HEIGHT = 92;
const PROCESS_ROW = 16;
const LINK_ROW = 20;
const SMALL_LANE = 64;

type Family = { name: string; colour: string; kinds: readonly FaultKind[] };

const FAMILIES: readonly Family[] = [
  {
    name: 'killed',
    colour: '#c2453b',
    kinds: ['kill-server', 'kill-nats', 'kill-postgres', 'kill-region', 'restart-storm'],
  },
  {
    name: 'paused',
    colour: '#e0a030',
    kinds: ['pause-server', 'pause-in-commit', 'pause-nats', 'pause-postgres'],
  },
  { name: 'clock skewed', colour: '#8a5fb0', kinds: ['skew-clock'] },
  {
    name: 'stream purged, deleted or made anew',
    colour: '#2f9c95',
    kinds: ['purge-stream', 'remake-stream', 'delete-stream'],
  },
  { name: 'disk lost', colour: '#111318', kinds: ['wipe'] },
  { name: 'link cut', colour: '#5b6472', kinds: ['cut', 'cut-with-reset', 'cut-one-way', 'flapping-link'] },
  { name: 'link slow', colour: '#a9b7c6', kinds: ['slow-link'] },
];

/** A run as a picture: work and faults of each region, links, convergence and memory over time. SVG. */
export function timelineOf(outcome: Outcome): string {
  const picture = new Picture(outcome);
  picture.header();
  for (const region of outcome.options.regions) picture.region(region);
  picture.links();
  picture.convergence();
  picture.memory();
  picture.axis();
  picture.legend();
  return picture.text();
}

class Picture {
  readonly #outcome: Outcome;
  readonly #parts: string[] = [];
  readonly #from: number;
  readonly #to: number;
  #y = 0;
  #plotTop = 0;

  constructor(outcome: Outcome) {
    this.#outcome = outcome;
    this.#from = outcome.startedAt;
    this.#to = outcome.endedAt;
  }

  header(): void {
    const { options, faults, journal, verdict, heals } = this.#outcome;
    const acknowledged = journal.operations.filter(({ outcome }) => outcome.acknowledged).length;
    const longest = Math.max(0, ...heals.map(({ ms }) => ms ?? 0));
    const of = (rule: string): number => verdict.findings.filter((finding) => finding.rule === rule).length;
    this.#label(28, 40, `Torture, ${clock(this.#to - this.#from)} minutes`, { size: 22, weight: 600 });
    const about = `seed ${options.seed} · ${options.regions.join(', ')} · ${options.servers} servers each · links of ${options.delayMs} ms`;
    this.#label(28, 62, about, { size: 13, fill: FAINT });
    const figures: [string, string, string][] = [
      [faults.length.toLocaleString('en'), 'faults', INK],
      [acknowledged.toLocaleString('en'), 'acknowledged', INK],
      ...(['lost', 'duplicated', 'diverged'] as const).map((rule): [string, string, string] => [
        String(of(rule)),
        rule,
        of(rule) === 0 ? GOOD : BAD,
      ]),
      [`${(longest / 1000).toFixed(1)} s`, 'longest to converge', INK],
    ];
    let x = WIDTH - RIGHT;
    for (const [value, what, fill] of figures.toReversed()) {
      this.#label(x, 42, value, { size: 22, weight: 600, fill, anchor: 'end' });
      this.#label(x, 62, what, { size: 12, fill: FAINT, anchor: 'end' });
      x -= Math.max(84, 7.2 * what.length + 26);
    }
    this.#y = 92;
    this.#plotTop = this.#y;
  }

  region(region: string): void {
    const top = this.#y;
    const floor = top + REGION_HEIGHT - PROCESS_ROW - 14;
    this.#rule(top);
    this.#label(28, top + 26, region, { size: 14, weight: 600 });
    const perSecond = this.#workOf(region);
    const most = Math.max(1, ...perSecond.map(({ value }) => value));
    const height = floor - top - 14;
    const points = perSecond.map(
      ({ at, value }) => `${this.#x(at)},${round(floor - (value / most) * height)}`,
    );
    if (points.length > 0) {
      const [first, last] = [this.#x(perSecond[0]!.at), this.#x(perSecond.at(-1)!.at)];
      this.#parts.push(
        `<polygon points="${first},${floor} ${points.join(' ')} ${last},${floor}" fill="${WORK}" fill-opacity="0.13"/>`,
        `<polyline points="${points.join(' ')}" fill="none" stroke="${WORK}" stroke-width="1.3" stroke-linejoin="round"/>`,
      );
    }
    this.#label(28, top + 44, 'acknowledged', { size: 11, fill: FAINT });
    this.#label(28, top + 58, `up to ${most.toFixed(0)} per second`, { size: 11, fill: FAINT });
    this.#bars(
      this.#outcome.faults.filter(({ regions }) => regions.length === 1 && regions[0] === region),
      floor + 4,
      PROCESS_ROW,
    );
    this.#y = top + REGION_HEIGHT;
  }

  links(): void {
    const { faults, options } = this.#outcome;
    const pairs = options.regions.flatMap((a, at) =>
      options.regions.slice(at + 1).map((b) => [a, b] as const),
    );
    if (pairs.length === 0) return;
    this.#rule(this.#y);
    this.#y += 10;
    for (const [a, b] of pairs) {
      this.#label(28, this.#y + 12, `${short(a)} – ${short(b)}`, { size: 12 });
      this.#bars(
        faults.filter(({ regions }) => regions.length === 2 && regions.includes(a) && regions.includes(b)),
        this.#y,
        LINK_ROW - 6,
      );
      this.#y += LINK_ROW;
    }
    this.#y += 6;
  }

  convergence(): void {
    const { heals } = this.#outcome;
    const top = this.#y;
    const floor = top + SMALL_LANE - 10;
    this.#rule(top);
    this.#label(28, top + 22, 'converged', { size: 14, weight: 600 });
    this.#label(28, top + 38, 'after a heal', { size: 11, fill: FAINT });
    const longest = Math.max(1_000, ...heals.map(({ ms }) => ms ?? 0));
    for (const [number, { at, ms, wiped }] of heals.entries()) {
      const x = this.#x(at);
      const roomRight = this.#x(heals[number + 1]?.at ?? this.#to) - x;
      const y = floor - ((ms ?? longest) / longest) * (SMALL_LANE - 30);
      const fill = ms === undefined ? BAD : GOOD;
      const title = `${clock(at - this.#from)}: ${ms === undefined ? 'not within the bound' : `${(ms / 1000).toFixed(1)} s`}${wiped === undefined ? '' : `, after ${wiped} lost its disk`}`;
      this.#parts.push(
        `<line x1="${x}" y1="${this.#plotTop}" x2="${x}" y2="${floor}" stroke="${fill}" stroke-width="1" stroke-opacity="0.28" stroke-dasharray="2 3"/>`,
        `<line x1="${x}" y1="${floor}" x2="${x}" y2="${round(y)}" stroke="${fill}" stroke-width="2"/>`,
        `<circle cx="${x}" cy="${round(y)}" r="3.6" fill="${fill}"><title>${title}</title></circle>`,
      );
      const text = ms === undefined ? 'not' : `${(ms / 1000).toFixed(1)} s`;
      if (roomRight > 44 || ms === longest) this.#label(x + 6, y + 4, text, { size: 11, fill: FAINT });
    }
    this.#y = top + SMALL_LANE;
  }

  memory(): void {
    const { memory, options } = this.#outcome;
    if (memory.length === 0) return;
    const top = this.#y;
    const floor = top + SMALL_LANE - 10;
    const most = Math.max(...memory.map(({ bytes }) => bytes));
    this.#rule(top);
    this.#label(28, top + 22, 'memory', { size: 14, weight: 600 });
    this.#label(28, top + 38, `up to ${(most / 1024 / 1024).toFixed(0)} MB`, { size: 11, fill: FAINT });
    const shades = ['#1f6a82', '#b7791f', '#8a5fb0', '#2e8b57'];
    for (const [at, region] of options.regions.entries())
      // A line for each process: it ends where the process does.
      for (const samples of Map.groupBy(
        memory.filter((sample) => sample.region === region),
        ({ pid }) => pid,
      ).values()) {
        const points = samples.map(
          (sample) => `${this.#x(sample.at)},${round(floor - (sample.bytes / most) * (SMALL_LANE - 24))}`,
        );
        this.#parts.push(
          points.length > 1
            ? `<polyline points="${points.join(' ')}" fill="none" stroke="${shades[at]}" stroke-width="1.2"/>`
            : `<circle cx="${points[0]!.split(',')[0]}" cy="${points[0]!.split(',')[1]}" r="1.3" fill="${shades[at]}"/>`,
        );
      }
    this.#y = top + SMALL_LANE;
  }

  axis(): void {
    const minutes = (this.#to - this.#from) / 60_000;
    const step = [0.25, 0.5, 1, 2, 5, 10, 30].find((each) => minutes / each <= 14) ?? 60;
    this.#rule(this.#y);
    for (let minute = 0; minute <= minutes; minute += step) {
      const x = this.#x(this.#from + minute * 60_000);
      this.#parts.push(`<line x1="${x}" y1="${this.#y}" x2="${x}" y2="${this.#y + 5}" stroke="${FAINT}"/>`);
      this.#label(x, this.#y + 19, clock(minute * 60_000), { size: 11, fill: FAINT, anchor: 'middle' });
    }
    this.#y += 34;
  }

  legend(): void {
    let x = LEFT;
    for (const { name, colour } of FAMILIES) {
      this.#parts.push(`<rect x="${x}" y="${this.#y}" width="12" height="12" rx="2.5" fill="${colour}"/>`);
      this.#label(x + 18, this.#y + 10.5, name, { size: 12, fill: FAINT });
      x += 18 + 6.6 * name.length + 24;
    }
    this.#y += 34;
  }

  text(): string {
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${this.#y}" width="${WIDTH}" height="${this.#y}" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif">`,
      `<rect width="${WIDTH}" height="${this.#y}" fill="#fbfaf8"/>`,
      ...this.#parts,
      '</svg>',
      '',
    ].join('\n');
  }

  #bars(faults: readonly Struck[], y: number, height: number): void {
    this.#parts.push(`<rect x="${LEFT}" y="${y}" width="${PLOT}" height="${height}" rx="3" fill="#f1efeb"/>`);
    for (const { kind, detail, from, to } of faults) {
      const family = FAMILIES.find(({ kinds }) => kinds.includes(kind))!;
      const [x, end] = [this.#x(from), this.#x(Math.min(to, this.#to))];
      this.#parts.push(
        `<rect x="${x}" y="${y}" width="${Math.max(2, round(end - x))}" height="${height}" rx="2" fill="${family.colour}"><title>${clock(from - this.#from)} ${kind}: ${escaped(detail)}</title></rect>`,
      );
    }
  }

  /** Acknowledgements of a region per second, over spans of which about 300 fit the picture. */
  #workOf(region: string): { at: number; value: number }[] {
    const spanMs = Math.max(2_000, (this.#to - this.#from) / 300);
    const spans = Array.from({ length: Math.ceil((this.#to - this.#from) / spanMs) }, (_, at) => ({
      at: this.#from + (at + 0.5) * spanMs,
      value: 0,
    }));
    for (const { endedAt, outcome } of this.#outcome.journal.operations) {
      const span = spans[Math.floor((endedAt - this.#from) / spanMs)];
      if (span !== undefined && outcome.acknowledged && outcome.region === region)
        span.value += 1_000 / spanMs;
    }
    return spans;
  }

  #x(at: number): number {
    return round(LEFT + (PLOT * (at - this.#from)) / (this.#to - this.#from));
  }

  #rule(y: number): void {
    this.#parts.push(`<line x1="28" y1="${y}" x2="${WIDTH - RIGHT}" y2="${y}" stroke="${LINE}"/>`);
  }

  #label(
    x: number,
    y: number,
    text: string,
    {
      size,
      weight = 400,
      fill = INK,
      anchor = 'start',
    }: { size: number; weight?: number; fill?: string; anchor?: string },
  ): void {
    this.#parts.push(
      `<text x="${round(x)}" y="${round(y)}" font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}">${escaped(text)}</text>`,
    );
  }
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** The letters of a region's parts: `us-east` is `us-e`. */
const short = (region: string): string => region.replace(/-(\w)\w*$/, '-$1');

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
