/// The sampler's maps that only unwinding by tables has.
enum UnwindMapNames {
  static let scratches = "unwind_scratches"
  static let chunks = "unwind_chunks"
  static let pages = "unwind_pages"
  static let mappings = "unwind_mappings"
  static let rules = "unwind_rules"
  static let processes = "unwind_processes"
  static let interpreters = "python_processes"
  static let all = [scratches, chunks, pages, mappings, rules, processes, interpreters]
}
