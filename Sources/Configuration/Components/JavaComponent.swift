extension DecodedBlock {
  /// How JVMs are profiled; with its defaults where it is not written.
  package var profilingConfig: DecodedBlock { block("profiling_config") ?? ComponentKind.profilingConfig.defaults }
}

extension ComponentKind {
  package static let java = ComponentKind(
    name: "pyroscope.java", role: .profiler,
    schema: BlockSchema(
      arguments: [
        BlockSchema.required("targets", .targets), BlockSchema.required("forward_to", .receivers),
        BlockSchema.optional("tmp_dir", .string, .string("/tmp")), BlockSchema.optional("dist", .string, .string("")),
      ],
      blocks: [
        BlockSchema.Nested(name: "profiling_config", schema: profilingConfig)
      ]))

  fileprivate static let profilingConfig = BlockSchema(
    arguments: [
      BlockSchema.optional("interval", .duration, .seconds(60)), BlockSchema.optional("cpu", .bool, .bool(true)),
      BlockSchema.optional("event", .string, .string("itimer")),
      BlockSchema.optional("sample_rate", .integer, .number(.integer(100))),
      BlockSchema.optional("per_thread", .bool, .bool(false)),
      BlockSchema.optional("alloc", .string, .string("512k")), BlockSchema.optional("tlab", .bool, .bool(false)),
      BlockSchema.optional("lock", .string, .string("10ms")),
      BlockSchema.optional("log_level", .string, .string("INFO")),
      BlockSchema.optional("quiet", .bool, .bool(false)),
      BlockSchema.optional("custom_arguments", .list(.string), .array([])),
    ],
    validate: { block in
      var problems: [BlockSchema.Problem] = []
      for (name, known) in [("event", ["itimer", "cpu", "wall"]), ("log_level", ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "NONE", ""])]
      where !known.contains(block.string(name)) {
        problems.append(
          .init(
            "\(AlloyValue.string(block.string(name)).written) is given to async-profiler as it is; its pages have \(known.filter { !$0.isEmpty }.joined(separator: ", "))",
            at: name, severity: .warning))
      }
      if block.bool("tlab"), block.string("alloc").isEmpty {
        problems.append(.init("tlab requires alloc to be set", at: "tlab"))
      }
      if !(1...1_000_000_000).contains(block.integer("sample_rate")) {
        problems.append(.init("sample_rate must be more than 0, got \(block.integer("sample_rate"))", at: "sample_rate"))
      }
      // async-profiler is told whole seconds.
      if block.duration("interval") < 1_000_000_000 {
        problems.append(.init("interval must be at least 1s", at: "interval"))
      }
      return problems
    })
}
