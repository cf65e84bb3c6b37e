/**
 * A receiver of OpenTelemetry's metrics (OTLP over HTTP, in JSON), as
 * https://opentelemetry.io/docs/specs/otlp/#otlphttp has it.
 *
 * @module
 */

interface Point {
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
  /** Of a histogram; JSON has 64-bit integers as texts. */
  readonly count?: string;
  readonly sum?: number;
  readonly bucketCounts?: readonly string[];
  readonly explicitBounds?: readonly number[];
  /** Of a counter. */
  readonly asDouble?: number;
}

export interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly histogram?: { readonly dataPoints: readonly Point[] };
  readonly sum?: { readonly dataPoints: readonly Point[] };
}

export interface OtlpReceiver extends AsyncDisposable {
  /** What a program needs in its environment to send its metrics here. */
  readonly env: Readonly<Record<string, string>>;
  /** Histogram of that name, as it was received last; zeros before. */
  histogram(name: string): { readonly count: number; readonly sum: number; readonly unit: string | undefined };
  /** Counter of that name, as it was received last; of one value of its attribute, if that is given. */
  counter(name: string, attribute?: string): number;
}

/** Receives on a free port what has the scope `scope`. */
export function startOtlpReceiver(scope: string): OtlpReceiver {
  const latest = new Map<string, ReceivedMetric>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { resourceMetrics = [] } = await request.json();
    for (const { scopeMetrics } of resourceMetrics) {
      for (const { scope: { name }, metrics } of scopeMetrics) {
        if (name === scope) { for (const metric of metrics) latest.set(metric.name, metric); }
      }
    }
    return Response.json({});
  });
  return {
    env: {
      OTEL_DENO: "true",
      OTEL_DENO_CONSOLE: "ignore",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.addr.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_METRIC_EXPORT_INTERVAL: "100",
    },
    histogram(name) {
      const metric = latest.get(name);
      const [point] = metric?.histogram?.dataPoints ?? [];
      return { count: Number(point?.count ?? 0), sum: point?.sum ?? 0, unit: metric?.unit };
    },
    counter(name, attribute) {
      const points = latest.get(name)?.sum?.dataPoints ?? [];
      return points.filter(({ attributes }) =>
        attribute === undefined || attributes.some(({ value }) => value.stringValue === attribute)
      ).reduce((sum, { asDouble = 0 }) => sum + asDouble, 0);
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
