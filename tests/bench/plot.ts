/** Lines over a logarithmic number of domains, as an SVG that reads on light and on dark ground. */
import { digits } from "./statistics.ts";

export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const WIDTH = 640, HEIGHT = 320;
const LEFT = 60, RIGHT = 20, TOP = 30, BOTTOM = 50;
const COLORS = ["#2f81f7", "#d29922", "#3fb950"];
const INK = "#808080";

/** @param title above it; the y axis begins at 0 and is in milliseconds */
export function plot(title: string, curves: readonly Curve[]): string {
  const all = curves.flatMap(({ points }) => points);
  const [low, high] = [Math.min, Math.max].map((of) => Math.log10(of(...all.map(({ x }) => x))));
  const top = niceTop(Math.max(...all.map(({ y }) => y)));
  const across = (x: number) =>
    LEFT + (Math.log10(x) - low) / (high - low || 1) * (WIDTH - LEFT - RIGHT);
  const up = (y: number) => HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM);

  const grid = [0, 1, 2, 3, 4].map((fourth) => {
    const y = up(top * fourth / 4);
    return `<line x1="${LEFT}" y1="${y}" x2="${
      WIDTH - RIGHT
    }" y2="${y}" stroke="${INK}" stroke-opacity="0.3"/>` +
      label(LEFT - 8, y + 4, `${digits(top * fourth / 4)} ms`, "end");
  });
  const ticks = [...new Set(all.map(({ x }) => x))].map((x) =>
    label(across(x), HEIGHT - BOTTOM + 18, x.toLocaleString("en"), "middle")
  );
  const lines = curves.map(({ name, points }, i) => {
    const color = COLORS[i % COLORS.length];
    const path = points.map(({ x, y }) => `${across(x).toFixed(1)},${up(y).toFixed(1)}`).join(" ");
    const dots = points.map(({ x, y }) =>
      `<circle cx="${across(x).toFixed(1)}" cy="${up(y).toFixed(1)}" r="3" fill="${color}"/>`
    );
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>` +
      dots.join("") + label(LEFT + 10 + i * 190, HEIGHT - 10, `— ${name}`, "start", color);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    label(LEFT, 16, title, "start"),
    ...grid,
    ...ticks,
    ...lines,
    "</svg>",
    "",
  ].join("\n");
}

const label = (x: number, y: number, text: string, anchor: string, color = INK) =>
  `<text x="${x.toFixed(1)}" y="${
    y.toFixed(1)
  }" text-anchor="${anchor}" fill="${color}">${text}</text>`;

/** 1, 2, 4 or 8 times a power of ten: quarters of it are round. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 8, 10].map((times) => times * power).find((top) => top >= value)!;
}
