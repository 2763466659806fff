// The shipped dashboard beside the types that Grafana publishes (@grafana/schema): `python -m tests.grafana` puts its
// JSON in the last line and asks tsc. An enum of TypeScript is one of its values in JSON.
import type { Dashboard, FieldConfig, Panel } from "@grafana/schema";
import type { Options } from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

type InJson<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: InJson<T[K]> } : T;
type TimeSeries = Omit<Panel, "options" | "fieldConfig"> & {
  type: "timeseries";
  options: InJson<Options>;
  fieldConfig: { defaults: InJson<FieldConfig>; overrides: [] };
};
type Board = Omit<Dashboard, "panels"> & { panels: TimeSeries[] };

export const board: Board = BOARD;
