/// How the user stack of a sample was found and whether it is whole. The values of the ABI header's enum.
public enum UnwindResult: UInt8, Hashable, Sendable, CaseIterable {
  /// Every frame up to the outermost one, by unwind tables; or there is no user stack to walk (a kernel thread).
  case complete = 0
  /// The kernel's walk along frame pointers: where code keeps none, callers are missing.
  case framePointers = 1
  case truncatedByDepth = 2
  /// Not a byte of the user stack could be read (the process is exiting, or its stack is not in memory).
  case readFault = 3
  case tablesPending = 4
  case noMapping = 5
  case noRow = 6
  case unsupportedRule = 7
  case guessed = 8
  case compat32 = 9
  /// The sampler had no user registers.
  case noRegisters = 10
  /// The image has no unwind information, or the code has no image.
  case noTable = 11
  /// Unwound while the process changed its mappings: what lay behind the change is left out.
  case staleMappings = 12

  /// The word in reports and in the keys of `inspect --format json`.
  public var name: String {
    switch self {
    case .complete: "complete"
    case .framePointers: "frame_pointers"
    case .truncatedByDepth: "truncated_by_depth"
    case .readFault: "read_fault"
    case .tablesPending: "tables_pending"
    case .noMapping: "no_mapping"
    case .noRow: "no_row"
    case .unsupportedRule: "unsupported_rule"
    case .guessed: "guessed"
    case .compat32: "compat32"
    case .noRegisters: "no_registers"
    case .noTable: "no_table"
    case .staleMappings: "stale_mappings"
    }
  }
}
