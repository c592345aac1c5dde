/** The last 15 minutes as small pictures: SVG without a word of script or style, so that the page's policy allows it. */
import { GAP_MS, SAMPLE_MS, TRAFFIC_MS, type TrafficSample } from "../../overview.ts";
import { asItIs, type Html, html } from "./markup.ts";
import { type Part, part } from "./parts.ts";
import { number, percent } from "./words.ts";

/** The picture's own units: a second is one wide. */
const WIDTH = TRAFFIC_MS / 1000;
const HEIGHT = 100;

interface Point {
  readonly at: number;
  readonly value: number;
}

/** @param at now, milliseconds since 1970 */
export function trafficPart(samples: readonly TrafficSample[], at: number): Part {
  // It moves on with the samples, and not with every look.
  const end = Math.ceil(at / SAMPLE_MS) * SAMPLE_MS;
  return part("traffic", () =>
    html`<div id="traffic" class="plots">
${
      figure("Requests a second", number, end, {
        points: samples.map(({ at, requests }) => ({ at, value: requests })),
        least: 1,
      })
    }
${
      figure("Share of errors (5xx)", percent, end, {
        points: samples.map(({ at, errors }) => ({ at, value: errors })),
        least: 0.01,
        most: 1,
      })
    }
</div>`);
}

function figure(
  title: string,
  inWords: (value: number) => string,
  end: number,
  { points, least, most = Infinity }: {
    readonly points: readonly Point[];
    /** The scale's top where all is less. */
    readonly least: number;
    readonly most?: number;
  },
): Html {
  const highest = Math.max(0, ...points.map(({ value }) => value));
  const last = points.at(-1);
  const now = last && end - last.at <= GAP_MS ? inWords(last.value) : "not known";
  const top = Math.min(most, roundUp(Math.max(least, highest)));
  const figures = `now ${now}, at most ${inWords(highest)}`;
  const grid = `M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}`;
  const lines = runsOf(points).map((run) => drawn(run, end, top));
  return html`
    <figure>
      <figcaption><b>${title}</b> <span>${figures}</span></figcaption>
      <div class="plot">
        <span class="top" aria-hidden="true">${inWords(top)}</span>
        <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img"
          aria-label="${title}, the last 15 minutes: ${figures}">
          <path class="grid" d="${grid}" />
          ${lines}
        </svg>
      </div>
      <p class="scale" aria-hidden="true"><span>15 min ago</span><span>now</span></p>
    </figure>
  `;
}

function drawn(run: readonly Point[], end: number, top: number): Html {
  const x = (at: number) => WIDTH - (end - at) / 1000;
  const y = (value: number) => HEIGHT - value / top * HEIGHT;
  const line = run.map(({ at, value }) => `${short(x(at))} ${short(y(value))}`);
  // One alone would be nothing to see.
  const first = short(x(run[0].at - (run.length === 1 ? SAMPLE_MS : 0)));
  const path = `M${first} ${short(y(run[0].value))}L${line.join(" ")}`;
  const area = `${path}V${HEIGHT}H${first}Z`;
  return asItIs(`<path class="area" d="${area}"/><path class="line" d="${path}"/>`);
}

const short = (value: number): string => String(Math.round(value * 10) / 10);

/** What lies between two gaps. */
function runsOf(points: readonly Point[]): Point[][] {
  const runs: Point[][] = [];
  for (const point of points) {
    const run = runs.at(-1);
    if (run && point.at - run[run.length - 1].at <= GAP_MS) run.push(point);
    else runs.push([point]);
  }
  return runs;
}

/** 1, 2 or 5 with noughts. */
function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((step) => step * unit >= value * (1 - 1e-9))!;
  return step * unit;
}
