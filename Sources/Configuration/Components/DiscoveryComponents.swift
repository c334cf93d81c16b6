package import Targets

extension ComponentKind {
  package static let discoveryProcess = ComponentKind(
    name: "discovery.process", role: .discovery,
    schema: BlockSchema(
      arguments: [
        BlockSchema.optional("join", .targets), BlockSchema.optional("refresh_interval", .duration, .seconds(60)),
      ],
      blocks: [
        BlockSchema.Nested(
          name: "discover_config",
          schema: BlockSchema(arguments: [
            BlockSchema.optional("exe", .bool, .bool(true)), BlockSchema.optional("cwd", .bool, .bool(true)),
            BlockSchema.optional("commandline", .bool, .bool(true)), BlockSchema.optional("container_id", .bool, .bool(true)),
            BlockSchema.optional("cgroup_path", .bool, .bool(false)), BlockSchema.optional("username", .bool, .bool(true)),
            // The pages say true; the code they describe says false.
            BlockSchema.optional("uid", .bool, .bool(false)),
          ]))
      ],
      validate: positiveRefresh))

  package static let discoveryDocker = ComponentKind(
    name: "discovery.docker", role: .discovery,
    schema: BlockSchema(
      arguments: [
        BlockSchema.required("host", .string), BlockSchema.optional("port", .integer, .number(.integer(80))),
        BlockSchema.optional("host_networking_host", .string, .string("localhost")),
        BlockSchema.optional("refresh_interval", .duration, .seconds(60)),
        BlockSchema.optional("match_first_network", .bool, .bool(true)),
      ] + HTTPClientSchema.arguments,
      blocks: [
        BlockSchema.Nested(
          name: "filter",
          schema: BlockSchema(arguments: [BlockSchema.required("name", .string), BlockSchema.required("values", .list(.string))]),
          isRepeatable: true)
      ] + HTTPClientSchema.blocks,
      validate: { block in
        var problems = HTTPClientSchema.validate(block) + positiveRefresh(block)
        let host = block.string("host")
        let schemes = ["unix://", "tcp://", "http://", "https://"]
        if !schemes.contains(where: { host.hasPrefix($0) && host.utf8.count > $0.utf8.count }) {
          problems.append(.init("host must begin with one of \(schemes.joined(separator: ", "))", at: "host"))
        }
        if !(1...65535).contains(block.integer("port")) { problems.append(.init("port must be between 1 and 65535", at: "port")) }
        return problems
      }))

  package static let discoveryKubernetes = ComponentKind(
    name: "discovery.kubernetes", role: .discovery,
    schema: BlockSchema(
      arguments: [
        BlockSchema.required("role", .string),
        BlockSchema.optional("api_server", .string), BlockSchema.optional("kubeconfig_file", .string),
      ] + HTTPClientSchema.arguments,
      blocks: [
        BlockSchema.Nested(
          name: "namespaces",
          schema: BlockSchema(arguments: [
            BlockSchema.optional("own_namespace", .bool, .bool(false)), BlockSchema.optional("names", .list(.string), .array([])),
          ])),
        BlockSchema.Nested(
          name: "selectors",
          schema: BlockSchema(arguments: [
            BlockSchema.required("role", .string), BlockSchema.optional("label", .string, .string("")),
            BlockSchema.optional("field", .string, .string("")),
          ]),
          isRepeatable: true),
        BlockSchema.Nested(
          name: "attach_metadata",
          schema: BlockSchema(arguments: [
            BlockSchema.optional("node", .bool, .bool(false)), BlockSchema.optional("namespace", .bool, .bool(false)),
          ])),
      ] + HTTPClientSchema.blocks,
      validate: validateKubernetes))

  /// What a role's selectors may select; Prometheus' table.
  private static let selectableRoles = [
    "pod": ["pod", "node"], "service": ["service"], "endpoints": ["pod", "service", "endpoints", "node"],
    "endpointslice": ["pod", "service", "endpointslice", "node"], "node": ["node"], "ingress": ["ingress"],
  ]

  private static func validateKubernetes(_ block: DecodedBlock) -> [BlockSchema.Problem] {
    var problems = HTTPClientSchema.validate(block)
    let role = block.string("role")
    guard selectableRoles[role] != nil else {
      return problems + [.init("unknown Kubernetes SD role \(AlloyValue.string(role).written)", at: "role")]
    }
    var seen: Set<String> = []
    for selector in block.blocks("selectors") {
      let selected = selector.string("role")
      if !(selectableRoles[role] ?? []).contains(selected) {
        problems.append(
          .init(
            "\(role) role supports only \((selectableRoles[role] ?? []).joined(separator: ", ")) selectors, got \(AlloyValue.string(selected).written)",
            at: "selectors"))
      } else if !seen.insert(selected).inserted {
        problems.append(.init("duplicated selector role: \(selected)", at: "selectors"))
      }
    }
    let server = block.string("api_server")
    if !server.isEmpty, !block.string("kubeconfig_file").isEmpty {
      problems.append(.init("cannot use 'kubeconfig_file' and 'api_server' simultaneously", at: "kubeconfig_file"))
    }
    if !server.isEmpty, !WebAddress.isURL(server) { problems.append(.init("api_server must be an absolute URL", at: "api_server")) }
    return problems
  }

  private static func positiveRefresh(_ block: DecodedBlock) -> [BlockSchema.Problem] {
    block.duration("refresh_interval") > 0 ? [] : [.init("refresh_interval must be greater than 0", at: "refresh_interval")]
  }
}

extension DecodedBlock {
  /// What a `discovery.process` is to look at.
  package var processDiscovery: ProcessDiscovery.Options {
    var options = ProcessDiscovery.Options()
    guard let config = block("discover_config") else { return options }
    options.executable = config.bool("exe")
    options.workingDirectory = config.bool("cwd")
    options.commandLine = config.bool("commandline")
    options.containerID = config.bool("container_id")
    options.cgroupPath = config.bool("cgroup_path")
    options.userName = config.bool("username")
    options.userID = config.bool("uid")
    return options
  }
}
