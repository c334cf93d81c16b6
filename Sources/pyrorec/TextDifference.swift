/// Where two texts differ, in lines, as `diff -u` would show it.
struct TextDifference {
  /// Lines around a difference.
  private static let context = 2
  /// Lines of the two texts together, ends in common left out, that are compared one with another.
  private static let maximumLines = 20_000
  private static let maximumShown = 60

  let lines: [String]
  var isEmpty: Bool { lines.isEmpty }

  init(from old: String, to new: String) {
    guard old != new else {
      lines = []
      return
    }
    let before = old.split(separator: "\n", omittingEmptySubsequences: false)
    let after = new.split(separator: "\n", omittingEmptySubsequences: false)
    var start = 0
    while start < before.count, start < after.count, before[start] == after[start] { start += 1 }
    var tail = 0
    while tail < before.count - start, tail < after.count - start, before[before.count - 1 - tail] == after[after.count - 1 - tail] {
      tail += 1
    }
    let removed = before[start..<(before.count - tail)]
    let added = after[start..<(after.count - tail)]
    var shown = ["@@ line \(start + 1): \(removed.count) lines before, \(added.count) now @@"]
    shown += before[max(0, start - Self.context)..<start].map { "  " + $0 }
    if removed.count + added.count <= Self.maximumLines {
      var old = Array(removed)[...]
      var new = Array(added)[...]
      // Lines both have stay silent; the rest comes in order.
      let difference = added.difference(from: removed)
      var gone: Set<Int> = []
      var come: Set<Int> = []
      for change in difference {
        switch change {
        case .remove(let offset, _, _): gone.insert(offset)
        case .insert(let offset, _, _): come.insert(offset)
        }
      }
      while !old.isEmpty || !new.isEmpty {
        if let line = old.first, gone.contains(old.startIndex) {
          shown.append("- " + line)
          old.removeFirst()
        } else if let line = new.first, come.contains(new.startIndex) {
          shown.append("+ " + line)
          new.removeFirst()
        } else {
          if !old.isEmpty { old.removeFirst() }
          if !new.isEmpty { new.removeFirst() }
        }
      }
    } else {
      shown += removed.prefix(5).map { "- " + $0 } + added.prefix(5).map { "+ " + $0 }
    }
    if shown.count > Self.maximumShown {
      let rest = shown.count - Self.maximumShown
      shown.removeLast(rest)
      shown.append("  … and \(rest) more lines")
    }
    lines = shown
  }
}
