/**
 * The two charts, drawn by uPlot from the activity of the last hour.
 */

/** @import { Activity } from "../src/dashboard/Wire.ts" */
/** @import uPlot from "uplot" */
import { compact, duration } from "./format.js"

/** @type {typeof uPlot} */
const Plot = Reflect.get(globalThis, "uPlot")

/**
 * @typedef {{ readonly label: string, readonly color: string, readonly bars?: boolean }} Line
 * @typedef {{
 *   readonly place: HTMLElement
 *   readonly legend: HTMLElement
 *   readonly lines: ReadonlyArray<Line>
 *   readonly text: (value: number) => string
 *   plot?: uPlot
 * }} Chart
 */

/**
 * A colour of the style sheet as a canvas understands it: of the scheme that is in force.
 *
 * @param {string} name
 * @returns {string}
 */
const color = (name) => {
  const probe = document.createElement("span")
  probe.style.color = `var(--${name})`
  document.body.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

/** @param {string} id */
const element = (id) => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`there is no #${id}`)
  return found
}

/** @type {ReadonlyArray<Chart>} */
const charts = [
  {
    place: element("throughput"),
    legend: element("throughput-legend"),
    lines: [{ label: "succeeded", color: "good", bars: true }, { label: "dead", color: "bad", bars: true }],
    text: compact
  },
  {
    place: element("durations"),
    legend: element("durations-legend"),
    lines: [{ label: "from enqueue to end", color: "accent" }, { label: "last run", color: "calm" }],
    text: duration
  }
]

/** @param {Chart} chart */
const size = (chart) => ({ width: Math.max(120, chart.place.clientWidth), height: 150 })

/**
 * @param {Chart} chart
 * @param {uPlot.AlignedData} data
 */
const draw = (chart, data) => {
  chart.plot?.destroy()
  const line = { stroke: color("quiet"), grid: { stroke: color("line"), width: 1 }, ticks: { show: false } }
  const font = "11px system-ui, sans-serif"
  const paths = Plot.paths.bars?.({ size: [0.8, 14], radius: 0.15 })
  chart.plot = new Plot(
    {
      ...size(chart),
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (_, min, max) => [min, max + 60] },
        y: { range: (_, __, max) => [0, Math.max(1, max) * 1.1] }
      },
      axes: [
        {
          ...line,
          font,
          grid: { show: false },
          size: 22,
          values: (_, splits) => splits.map((at) => new Date(at * 1000).toTimeString().slice(0, 5))
        },
        { ...line, font, size: 58, values: (_, splits) => splits.map((value) => chart.text(value)) }
      ],
      series: [
        {},
        ...chart.lines.map(({ bars, color: name, label }) =>
          bars === true
            ? { label, fill: color(name), width: 0, points: { show: false }, ...(paths === undefined ? {} : { paths }) }
            : {
              label,
              stroke: color(name),
              width: 1.75,
              spanGaps: true,
              points: { show: true, size: 4, fill: color(name) }
            }
        )
      ]
    },
    data,
    chart.place
  )
}

/** @type {ReadonlyArray<uPlot.AlignedData>} */
let shown = []

/**
 * Ten-second steps, six of them a point: what ended in that minute, and the mean of what is known of it.
 *
 * @param {Activity} activity
 */
export const update = (activity) => {
  const { dead, from, ranMs, stepMs, succeeded, totalMs } = activity
  const per = 6
  const points = Math.floor(succeeded.length / per)
  /** @param {(index: number) => number | null} value */
  const minutes = (value) => Array.from({ length: points }, (_, point) => value(point * per))
  /** @param {ReadonlyArray<number>} counts */
  const sum = (counts) =>
    minutes((start) => counts.slice(start, start + per).reduce((total, count) => total + count, 0))
  /** @param {ReadonlyArray<number | null>} means */
  const mean = (means) =>
    minutes((start) => {
      const known = means.slice(start, start + per).filter((value) => value !== null)
      return known.length === 0 ? null : known.reduce((total, value) => total + value, 0) / known.length
    })
  const times = minutes((start) => (from + start * stepMs) / 1000)
  const [done, failed, total, ran] = [sum(succeeded), sum(dead), mean(totalMs), mean(ranMs)]
  const x = times.map(Number)
  // The dead stand in front of all that ended, so that both are seen.
  const all = done.map((count, index) => (count ?? 0) + (failed[index] ?? 0))
  shown = [[x, all, failed], [x, total, ran]]
  const last = [[done, failed], [total, ran]]
  charts.forEach((chart, index) => {
    const data = shown[index]
    if (data === undefined) return
    if (chart.plot === undefined) draw(chart, data)
    else chart.plot.setData(data)
    chart.legend.replaceChildren(...chart.lines.map(({ color: name, label }, line) => {
      const value = last[index]?.[line]?.at(-1)
      const item = document.createElement("span")
      item.className = `key ${name}`
      item.textContent = `${label}: ${value === null || value === undefined ? "none" : chart.text(value)}`
      return item
    }))
  })
}

const redraw = () =>
  charts.forEach((chart, index) => {
    const data = shown[index]
    if (data !== undefined) draw(chart, data)
  })

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw)
new ResizeObserver(() => charts.forEach((chart) => chart.plot?.setSize(size(chart)))).observe(element("throughput"))
