extension ComponentKind {
  package static let write = ComponentKind(
    name: "pyroscope.write", role: .receiver,
    schema: BlockSchema(
      arguments: [BlockSchema.optional("external_labels", .map(.string), .object([:]))],
      blocks: [
        BlockSchema.Nested(name: "endpoint", schema: endpoint, isRepeatable: true),
        BlockSchema.Nested(
          name: "tracing",
          schema: BlockSchema(arguments: [
            BlockSchema.ignored("jaeger_propagator", .bool, .bool(true)),
            BlockSchema.ignored("trace_context_propagator", .bool, .bool(true)),
          ])),
      ]))

  private static let endpoint = BlockSchema(
    arguments: [
      BlockSchema.required("url", .string), BlockSchema.optional("name", .string, .string("")),
      BlockSchema.optional("remote_timeout", .duration, .seconds(10)), BlockSchema.optional("headers", .map(.secret), .object([:])),
      BlockSchema.optional("min_backoff_period", .duration, .milliseconds(500)),
      BlockSchema.optional("max_backoff_period", .duration, .seconds(300)),
      BlockSchema.optional("max_backoff_retries", .integer, .number(.integer(10))),
      BlockSchema.optional("retry_on_http_429", .bool, .bool(true)),
      BlockSchema.ignored("debug_info_upload_timeout", .duration, .seconds(120)),
    ] + HTTPClientSchema.arguments,
    blocks: HTTPClientSchema.blocks,
    validate: { block in
      var problems = HTTPClientSchema.validate(block)
      if !WebAddress.isURL(block.string("url")) {
        problems.append(.init("url must be an absolute URL such as http://pyroscope:4040", at: "url"))
      }
      for name in ["remote_timeout", "min_backoff_period", "max_backoff_period"] where block.duration(name) <= 0 {
        problems.append(.init("\(name) must be more than 0", at: name))
      }
      if block.duration("min_backoff_period") > block.duration("max_backoff_period") {
        problems.append(.init("min_backoff_period must not be more than max_backoff_period", at: "min_backoff_period"))
      }
      if block.integer("max_backoff_retries") < 0 {
        problems.append(.init("max_backoff_retries must not be negative; 0 tries for ever", at: "max_backoff_retries"))
      }
      return problems
    })
}
