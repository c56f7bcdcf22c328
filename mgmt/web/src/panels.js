// Everything but the charts over time: a snapshot goes in, elements change.
import { byId, element, fillList, fillRows } from "./dom.js";
import { clockTime, count, ppm, reach, seconds, span } from "./format.js";
import { bars } from "./plots.js";

const kStateClass = { LOCKED: "good", ACQUIRING: "warn", HOLDOVER: "warn", FREERUN: "bad", UNSYNCED: "bad" };
const kSourceClass = { "*": "good", "+": "good", x: "bad", "~": "warn", "?": "warn" };

function cards(place, values) {
  values.forEach(([name, value, kind = ""], i) => {
    let card = place.children[i];
    if (!card) {
      card = element("div", {}, element("span"), element("b"));
      place.append(card);
    }
    if (card.className !== kind) card.className = kind;
    card.firstChild.textContent = name;
    card.lastChild.textContent = value;
  });
}

export function showState({ state, tracking }) {
  const kind = state.state === "HOLDOVER" && !state.in_spec ? "bad" : kStateClass[state.state] ?? "";
  cards(byId("cards"), [
    ["State", state.state, kind],
    ["Error at most", state.bound_s === null ? "unknown" : `± ${seconds(state.bound_s)}`, state.in_spec ? "good" : "bad"],
    ["Limit", `± ${seconds(state.limit_s)}`],
    ["Reaches it in", state.breach_in_s === null ? "–" : span(state.breach_in_s)],
    ["System clock is off", seconds(-tracking.system_offset_s, { signed: true })],
    ["Frequency", ppm(tracking.frequency_ppm, { signed: true })],
    ["Stratum", String(tracking.stratum)],
    ["Follows", tracking.name || tracking.address || tracking.reference_id || "–"],
  ]);
  const text = `${state.state}: ${state.explanation}, for ${span(state.since_ago_s)}.` +
    (tracking.leap === "insert" ? " A leap second will be inserted." : tracking.leap === "delete" ? " A leap second will be deleted." : "");
  // Seconds pass in it; only what matters is announced.
  const announced = byId("state-text");
  if (announced.dataset.state !== state.state + state.explanation) {
    announced.dataset.state = state.state + state.explanation;
    announced.textContent = text;
  }
  document.title = `${state.state} · gnomon`;
}

export function showSources(snapshot) {
  const by = (list) => new Map((list ?? []).map((item) => [item.address, item]));
  const [stats, ntp, selection] = [by(snapshot.sourcestats), by(snapshot.ntpdata), by(snapshot.selection)];
  const rows = snapshot.sources.map((source) => {
    const s = stats.get(source.address);
    const n = ntp.get(source.address);
    const why = selection.get(source.address);
    const letter = why?.letter ?? source.letter;
    return [
      { text: `${source.letter} ${source.state}`, kind: kSourceClass[letter] ?? "" },
      { text: source.name === source.address ? source.address : `${source.name} (${source.address})` },
      source.stratum, span(source.poll_s),
      { text: reach(source.reach), title: `the last eight polls, oldest first; octal ${source.reach.toString(8)}` },
      source.last_sample_ago_s >= 4294967295 ? "never" : span(source.last_sample_ago_s),
      seconds(source.offset_s, { signed: true }), seconds(source.error_s),
      s ? seconds(s.stddev_s) : "–", n ? seconds(n.delay_s) : "–",
      n ? `${n.tx_timestamp} / ${n.rx_timestamp}` : "–",
      { text: why?.explanation ?? "", kind: "why" },
    ];
  });
  fillRows(byId("source-table").tBodies[0], rows);
}

export function showServer({ serverstats: s, clients, loop }) {
  fillList(byId("server"), [
    ["Requests", count(s.ntp_packets_received)], ["Dropped", count(s.ntp_packets_dropped)],
    ["Authenticated", count(s.authenticated_ntp_packets)], ["Interleaved", count(s.interleaved_ntp_packets)],
    ["Stamps in (daemon, kernel, NIC)", [s.daemon_rx_timestamps, s.kernel_rx_timestamps, s.hardware_rx_timestamps].map(count).join(" / ")],
    ["Stamps out (daemon, kernel, NIC)", [s.daemon_tx_timestamps, s.kernel_tx_timestamps, s.hardware_tx_timestamps].map(count).join(" / ")],
    ["Clients remembered", clients ? count(clients.ntp_clients) : "not logged"],
  ]);
  bars(byId("intervals"), clients?.interval_s.upper_bounds ?? [], clients?.interval_s.counts ?? [0], span, "Polling intervals");
  bars(byId("loop"), loop.busy.upper_bounds_s, loop.busy.counts, (v) => seconds(v), "Time per turn of the control loop");
  fillRows(byId("talkers").tBodies[0], (clients?.talkers ?? []).map((t) => [
    t.address, count(t.ntp_hits ?? t.hits), count(t.ntp_drops ?? t.drops),
    t.interval_s === null || t.interval_s === undefined ? "–" : span(t.interval_s),
    t.last_hit_ago_s === null || t.last_hit_ago_s === undefined ? "–" : `${span(t.last_hit_ago_s)} ago`]));
}

export function showRtc({ rtc }) {
  fillList(byId("rtc"), rtc === null ? [["Tracking", "off"]] : [
    ["Fast by", seconds(rtc.fast_s, { signed: true })], ["Gains", ppm(rtc.gain_ppm, { signed: true })],
    ["Samples", rtc.samples], ["Over", span(rtc.span_s)], ["At", clockTime(rtc.reference_time_s)]]);
}

export function showEvents(events) {
  fillRows(byId("events").tBodies[0], events.slice(-100).reverse().map((event) => [
    clockTime(event.at_s),
    { text: event.kind, kind: event.severity === "error" ? "bad" : event.severity === "warning" ? "warn" : "" },
    event.text]));
}

export function showDaemon(daemon) {
  const link = byId("link");
  const text = !daemon.connected ? "gnomond is not running or not heard"
    : !daemon.fresh ? `gnomond is silent since ${span(daemon.last_snapshot_ago_s)}`
      : `connected to ${daemon.program ?? "gnomond"} (process ${daemon.pid})`;
  link.className = daemon.connected && daemon.fresh ? "" : "bad";
  if (link.textContent !== text) link.textContent = text;
  byId("version").textContent = `${daemon.program ?? "gnomond"} ${daemon.version ?? ""}`;
}
