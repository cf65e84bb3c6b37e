/**
 * A flame graph as an SVG that stands alone: the width of a box is the time in which its function, or one that it called,
 * ran; callers are below. A tooltip says the whole name and the share.
 *
 * @module
 */

/** A function in the stacks that were seen, with what it called. */
export interface Frame {
  readonly name: string;
  /** Decides the colour. */
  readonly group: string;
  /** Time in it and in what it called. */
  total: number;
  readonly children: Map<string, Frame>;
}

const WIDTH = 1000;
const ROW = 17;
const HEAD = 58;
/** Narrower boxes show nothing. */
const MIN_WIDTH = 0.7;
const MIN_TEXT_WIDTH = 28;
/** Of the font, about. */
const CHARACTER_WIDTH = 6.1;
/** Readable under dark text on a light page and on a dark one. */
const COLOURS = [
  "#f4a259",
  "#8cb369",
  "#7fb7be",
  "#e5989b",
  "#b8a1d9",
  "#f4e285",
  "#9db4c0",
  "#d4a373",
  "#a3c4f3",
  "#c0c0c0",
  "#f7c6c7",
  "#c5d86d",
];

/** Draws what is under `root`, whose own box is left out. `groups` are in the order of the legend. */
export function flameChart(root: Frame, title: string, groups: readonly string[]): string {
  const colours = new Map(groups.map((group, i) => [group, COLOURS[i % COLOURS.length]]));
  const perPixel = root.total / WIDTH;
  const boxes: string[] = [];
  let depth = 0;
  const draw = (frame: Frame, left: number, row: number) => {
    depth = Math.max(depth, row);
    const width = frame.total / perPixel;
    const share = (frame.total / root.total * 100).toFixed(1);
    const y = row * ROW;
    const name = fitting(frame.name, width);
    boxes.push(
      `<g><title>${escaped(frame.name)}: ${share} %</title>` +
        `<rect x="${short(left)}" y="-${y}" width="${short(width)}" height="16" fill="${colours.get(frame.group)}"/>` +
        `${name && `<text x="${short(left + 3)}" y="${12 - y}">${escaped(name)}</text>`}</g>`,
    );
    drawChildren(frame, left, row + 1);
  };
  const drawChildren = (frame: Frame, left: number, row: number) => {
    for (const child of [...frame.children.values()].sort((a, b) => b.total - a.total)) {
      const width = child.total / perPixel;
      if (width >= MIN_WIDTH) draw(child, left, row);
      left += width;
    }
  };
  drawChildren(root, 0, 0);
  const height = HEAD + (depth + 1) * ROW;
  let at = 4;
  const legend = groups.map((group) => {
    const item = `<rect x="${at}" y="28" width="12" height="12" fill="${colours.get(group)}"/>` +
      `<text class="head" x="${at + 16}" y="38">${escaped(group)}</text>`;
    at += 30 + Math.round(group.length * CHARACTER_WIDTH);
    return item;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${
    escaped(title)
  }">
<style>
  text { font: 11px sans-serif; fill: #1b1f24; }
  .head { fill: #24292f; }
  @media (prefers-color-scheme: dark) { .head { fill: #e6edf3; } }
</style>
<text class="head" x="4" y="16">${escaped(title)}</text>
${legend.join("\n")}
<g transform="translate(0 ${height - ROW})">
${boxes.join("\n")}
</g>
</svg>
`;
}

function fitting(name: string, width: number): string {
  if (width < MIN_TEXT_WIDTH) return "";
  const characters = Math.floor((width - 6) / CHARACTER_WIDTH);
  return name.length <= characters ? name : `${name.slice(0, characters - 1)}…`;
}

function short(pixels: number): string {
  return String(Math.round(pixels * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
