/**
 * A line chart as an SVG that stands alone: readable on a light page and on a dark one.
 *
 * @module
 */

export interface LineChart {
  readonly title: string;
  /** What the axes show, with units. */
  readonly xLabel: string;
  readonly yLabel: string;
  /** Ascending in x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** A dashed line across. */
  readonly mark: { readonly y: number; readonly label: string };
}

const WIDTH = 720;
const HEIGHT = 300;
const PLOT = { left: 64, right: 700, top: 40, bottom: 252 };
/** About how many intervals an axis has. */
const INTERVALS = 6;
/** More points than the plot has pixels show nothing more. */
const MAX_POINTS = 400;

/** Draws the points as one line, both axes from 0. */
export function lineChart({ title, xLabel, yLabel, points, mark }: LineChart): string {
  const xAxis = ticks(Math.max(...points.map(([x]) => x)));
  const yAxis = ticks(Math.max(mark.y, ...points.map(([, y]) => y)));
  const xEnd = points[points.length - 1][0];
  const px = (x: number) => round(PLOT.left + x / xEnd * (PLOT.right - PLOT.left));
  const py = (y: number) => round(PLOT.bottom - y / yAxis[yAxis.length - 1] * (PLOT.bottom - PLOT.top));
  const line = thinned(points).map(([x, y]) => `${px(x)},${py(y)}`).join(" ");
  const middle = (PLOT.left + PLOT.right) / 2;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">
<style>
  text { font: 12px sans-serif; fill: #24292f; }
  .title { font-weight: bold; }
  .grid { stroke: #d0d7de; }
  .line { fill: none; stroke: #0969da; stroke-width: 1.5; }
  .mark { stroke: #cf222e; stroke-dasharray: 6 4; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .grid { stroke: #30363d; }
    .line { stroke: #58a6ff; }
    .mark { stroke: #ff7b72; }
  }
</style>
<text class="title" x="${middle}" y="20" text-anchor="middle">${title}</text>
${
    yAxis.map((y) =>
      `<path class="grid" d="M${PLOT.left} ${py(y)}H${PLOT.right}"/>` +
      `<text x="${PLOT.left - 8}" y="${py(y) + 4}" text-anchor="end">${y}</text>`
    ).join("\n")
  }
${
    xAxis.filter((x) => x <= xEnd).map((x) =>
      `<text x="${px(x)}" y="${PLOT.bottom + 18}" text-anchor="middle">${x}</text>`
    ).join("\n")
  }
<text x="${middle}" y="${HEIGHT - 10}" text-anchor="middle">${xLabel}</text>
<text transform="translate(16 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)" text-anchor="middle">${yLabel}</text>
<path class="mark" d="M${PLOT.left} ${py(mark.y)}H${PLOT.right}"/>
<text x="${PLOT.right}" y="${py(mark.y) - 5}" text-anchor="end">${mark.label}</text>
<polyline class="line" points="${line}"/>
</svg>
`;
}

/** From 0 to at least `max`, in steps of 1, 2 or 5 times a power of ten. */
function ticks(max: number): number[] {
  const rough = max / INTERVALS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  return Array.from({ length: Math.ceil(max / step) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

/** Of each run of points the highest one, so that no peak is lost. */
function thinned(points: LineChart["points"]): LineChart["points"] {
  const run = Math.ceil(points.length / MAX_POINTS);
  return Array.from(
    { length: Math.ceil(points.length / run) },
    (_, i) => points.slice(i * run, (i + 1) * run).reduce((highest, point) => point[1] > highest[1] ? point : highest),
  );
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
