import { assertEquals, assertRejects } from "@std/assert";
import { ReaderError } from "../../../client/readers/lines.ts";
import { type PrometheusOptions, prometheusPoints } from "../../../client/readers/prometheus.ts";
import { Random } from "../../store/format/random.ts";
import { asyncProperty, byteByByte, bytesOf, cut } from "./text.ts";

const T = 1_795_500_000_000;
const points = (text: string, options: PrometheusOptions = { source: "s", timestamp: T }) =>
  Array.fromAsync(prometheusPoints(bytesOf(text), options));

Deno.test("prometheusPoints() reads samples with labels, escapes and timestamps", async () => {
  const text = String.raw`# HELP http_requests_total The total number of "requests".
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1795500000001
http_requests_total{method="post", code="400" , }  3
  msdos_file{path="C:\\DIR\\F.TXT",error="no\n\"x\" ü"} 1.458255915e9
bare 12.47
something_weird{problem="division by zero"} +Inf -3982045
summary{quantile="0.5"} NaN
a:b{instance="web-1:9100"} -0.5e-3
# EOF
`;
  const read = await Array.fromAsync(prometheusPoints(byteByByte(text), { source: "s", timestamp: T }));
  assertEquals(read, [
    {
      source: "s",
      timestamp: T + 1,
      metrics: { http_requests_total: 1027 },
      tags: { method: "post", code: "200" },
    },
    { source: "s", timestamp: T, metrics: { http_requests_total: 3 }, tags: { method: "post", code: "400" } },
    {
      source: "s",
      timestamp: T,
      metrics: { msdos_file: 1458255915 },
      tags: { path: "C:\\DIR\\F.TXT", error: 'no\n"x" ü' },
    },
    { source: "s", timestamp: T, metrics: { bare: 12.47 }, tags: {} },
    { source: "web-1:9100", timestamp: T, metrics: { "a:b": -0.0005 }, tags: {} },
  ]);
});

Deno.test("prometheusPoints() reads OpenMetrics: seconds, and exemplars that are left out", async () => {
  const text =
    'foo_bucket{le="0.1"} 8 1795500000.5 # {trace_id="abc"} 0.067\nbar_total 17 # {x="}"} 1\nx 1 1795500000\n';
  const read = await points(text);
  assertEquals(read.map(({ timestamp }) => timestamp), [T + 500, T, T]);
  assertEquals((await points("x 1 5000\n", { source: "s", openMetrics: false }))[0].timestamp, 5000);
});

Deno.test("prometheusPoints() gives all samples without a timestamp the same one", async () => {
  const read = await points("a 1\nb 2\n", { sourceLabel: "job", source: "s" });
  assertEquals(read[0].timestamp, read[1].timestamp);
  assertEquals(await points('a{job="j",instance="i"} 1', { sourceLabel: "job", timestamp: T }), [
    { source: "j", timestamp: T, metrics: { a: 1 }, tags: { instance: "i" } },
  ]);
});

Deno.test("prometheusPoints() names the line, and what is wrong with it", async () => {
  const wrong = [
    "1abc 2",
    "a",
    "a{",
    'a{b="c"',
    'a{b="c} 1',
    'a{b="c" d="e"} 1',
    "a{b=c} 1",
    "a one",
    "a 1 x",
    "a 1 2 3",
    "{} 1",
  ];
  for (const line of wrong) {
    const error = await assertRejects(() => points(`ok 1\n# comment\n${line}\n`), ReaderError);
    assertEquals(error.line, 3, line);
  }
  await assertRejects(() => points("a 1", {}), ReaderError, "no label instance");
});

Deno.test("prometheusPoints() property: labels that are written with escapes are read back", async () => {
  await asyncProperty(300, (seed) => new Random(seed), async (random) => {
    const tags = Object.fromEntries(
      Array.from({ length: random.below(4) }, (_, i) => [`l_${i}`, random.text(12).replaceAll("\uFEFF", "")]),
    );
    const value = random.integer() / 7;
    const escape = (text: string) => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
    const labels = Object.entries(tags).map(([name, text]) => `${name}="${escape(text)}"`).join(",");
    const source = cut(random, `m{${labels}} ${value} ${T}\n`);
    assertEquals(await Array.fromAsync(prometheusPoints(source, { source: "s" })), [
      { source: "s", timestamp: T, metrics: { m: value }, tags },
    ]);
  });
});
