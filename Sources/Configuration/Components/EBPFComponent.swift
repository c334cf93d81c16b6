extension ComponentKind {
  /// Alloy's `pyroscope.ebpf` of 2026, with what older pages and the sources have besides.
  package static let ebpf = ComponentKind(
    name: "pyroscope.ebpf", role: .profiler,
    schema: BlockSchema(
      arguments: [
        BlockSchema.required("forward_to", .receivers), BlockSchema.optional("targets", .targets),
        BlockSchema.optional("collect_interval", .duration, .seconds(15)),
        BlockSchema.optional("sample_rate", .integer, .number(.integer(19))),
        BlockSchema.optional("demangle", .string, .string("none")),
        BlockSchema.optional("off_cpu_threshold", .float, .number(.float(0))),
        BlockSchema.optional("load_probe", .bool, .bool(false)), BlockSchema.optional("u_probe_links", .list(.string)),
        BlockSchema.optional("probe_links", .list(.string)), BlockSchema.optional("verbose_mode", .bool, .bool(false)),
        BlockSchema.optional("lazy_mode", .bool, .bool(false)),
        BlockSchema.optional("comm", .word(["none", "label", "stackframe", "both"]), .string("none")),
        BlockSchema.optional("pid_label", .bool, .bool(false)), BlockSchema.optional("kernel_frames", .bool, .bool(true)),
        BlockSchema.optional("targets_only", .bool, .bool(true)),
        BlockSchema.optional("reporter_unsymbolized_stubs", .bool, .bool(false)),
      ]
        + ["python", "perl", "php", "hotspot", "ruby", "v8", "dotnet", "go"].map {
          BlockSchema.optional("\($0)_enabled", .bool, .bool(true))
        } + [
          BlockSchema.ignored("no_kernel_version_check", .bool, .bool(false)),
          BlockSchema.ignored("bpf_fs_root", .string, .string("/sys/fs/bpf/")),
          BlockSchema.ignored("obi_process_context_enabled", .bool, .bool(true)),
          BlockSchema.ignored("symb_cache_path", .string, .string("/tmp/symb-cache")),
          BlockSchema.ignored("symb_cache_size", .integer, .number(.integer(2048))),
          BlockSchema.ignored("build_id_cache_size", .integer, .number(.integer(64))),
          BlockSchema.ignored("cache_rounds", .integer), BlockSchema.ignored("collect_kernel_profile", .bool, .bool(true)),
          BlockSchema.ignored("collect_user_profile", .bool, .bool(true)),
          BlockSchema.ignored("container_id_cache_size", .integer, .number(.integer(1024))),
          BlockSchema.ignored("go_table_fallback", .bool, .bool(false)),
          BlockSchema.ignored("pid_cache_size", .integer, .number(.integer(32))),
          BlockSchema.ignored("pid_map_size", .integer, .number(.integer(2048))),
          BlockSchema.ignored("same_file_cache_size", .integer, .number(.integer(8))),
          BlockSchema.ignored("symbols_map_size", .integer, .number(.integer(16384))),
        ],
      blocks: [
        BlockSchema.Nested(
          name: "debug_info",
          schema: BlockSchema(arguments: [
            BlockSchema.ignored("on_target_symbolization", .bool, .bool(true)),
            BlockSchema.ignored("upload", .bool, .bool(false)),
            BlockSchema.ignored("cache_size", .integer, .number(.integer(262_144))),
            BlockSchema.ignored("strip_text_section", .bool, .bool(false)),
            BlockSchema.ignored("queue_size", .integer, .number(.integer(256))),
            BlockSchema.ignored("worker_num", .integer, .number(.integer(16))),
          ]))
      ],
      validate: validateEBPF))

  private static func validateEBPF(_ block: DecodedBlock) -> [BlockSchema.Problem] {
    var problems: [BlockSchema.Problem] = []
    let threshold = block.float("off_cpu_threshold")
    if !(0...1).contains(threshold) {
      problems.append(.init("invalid argument off_cpu_threshold: \(threshold). Value must be between [0..1]", at: "off_cpu_threshold"))
    }
    // Alloy divides by it unchecked.
    if !(1...10_000).contains(block.integer("sample_rate")) {
      problems.append(.init("sample_rate must be between 1 and 10000, got \(block.integer("sample_rate"))", at: "sample_rate"))
    }
    if block.duration("collect_interval") <= 0 {
      problems.append(.init("collect_interval must be more than 0", at: "collect_interval"))
    }
    // Alloy takes any word and then demangles as with `full`.
    let modes = ["none", "simplified", "templates", "full"]
    if !modes.contains(block.string("demangle")) {
      problems.append(
        .init(
          "unknown demangle mode \(AlloyValue.string(block.string("demangle")).written) is taken as \"full\"; there are \(modes.joined(separator: ", "))",
          at: "demangle", severity: .warning))
    }
    for link in block.strings("probe_links") {
      let parts = link.split(separator: ":", omittingEmptySubsequences: false)
      let kind = parts.first.map { $0.lowercased() } ?? ""
      let expected = ["kprobe": 2, "kretprobe": 2, "uprobe": 3, "uretprobe": 3][kind]
      if expected.map({ parts.count < $0 }) ?? true || parts.contains("") {
        problems.append(
          .init(
            "invalid probe link \(AlloyValue.string(link).written): write kprobe:SYMBOL, kretprobe:SYMBOL, uprobe:PATH:SYMBOL or uretprobe:PATH:SYMBOL",
            at: "probe_links"))
      }
    }
    return problems
  }
}

extension AlloyValue {
  /// A duration as arguments hold it.
  static func seconds(_ seconds: Int64) -> AlloyValue { .number(.integer(seconds * 1_000_000_000)) }
  static func milliseconds(_ milliseconds: Int64) -> AlloyValue { .number(.integer(milliseconds * 1_000_000)) }
}
