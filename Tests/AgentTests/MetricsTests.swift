import Testing

@testable import Agent

@Test func `metrics are text that Prometheus reads, sorted and escaped`() {
  let metrics = Metrics()
  metrics.declare("b_total", .counter, labels: ["name"], "Counts.")
  metrics.declare("a", .gauge, "A gauge.")
  metrics.add("b_total", 2, ["x\"y\\z\n"])
  metrics.add("b_total", 1, ["a"])
  metrics.set("a", 1.5)
  metrics.add("undeclared")
  #expect(
    metrics.text() == """
      # HELP a A gauge.
      # TYPE a gauge
      a 1.5
      # HELP b_total Counts.
      # TYPE b_total counter
      b_total{name="a"} 1
      b_total{name="x\\"y\\\\z\\n"} 2

      """)
}

@Test func `label values beyond a thousand are counted together`() {
  let metrics = Metrics()
  metrics.declare("n", .counter, labels: ["service"], "Counts.")
  for number in 0..<1100 { metrics.add("n", 1, [String(number)]) }
  #expect(metrics.value("n", ["999"]) == 1)
  #expect(metrics.value("n", ["1050"]) == 0)
  #expect(metrics.value("n", ["other"]) == 100)
}
