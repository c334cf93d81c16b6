/// Collapsed stacks read back: one line a distinct stack, `COMM;root;…;leaf COUNT`.
package struct CollapsedStacks: Sendable {
  package struct Stack: Sendable {
    /// The thread's name.
    package let name: String
    /// Outermost first.
    package let frames: [String]
    package let count: Int

    /// Without the kernel's frames at its inner end, which `--annotate` marks with `_[k]`.
    package var userFrames: ArraySlice<String> {
      var rest = frames[...]
      while let last = rest.last, last.hasSuffix("_[k]") { rest.removeLast() }
      return rest
    }
    /// Whether the program's own code was running, and not the kernel for it.
    package var isInUserMode: Bool { userFrames.count == frames.count }

    /// Whether the frames of `chain` follow each other somewhere, with nothing between them.
    package func contains(_ chain: [String]) -> Bool {
      guard chain.count <= frames.count else { return false }
      return (0...(frames.count - chain.count)).contains { start in
        chain.indices.allSatisfy { frames[start + $0] == chain[$0] }
      }
    }
  }
  package let stacks: [Stack]

  /// - Throws: `CommandFailure` naming the line when one is not of that form.
  package init(parsing text: String) throws {
    var stacks: [Stack] = []
    for line in text.split(separator: "\n") {
      guard let space = line.lastIndex(of: " "), let count = Int(line[line.index(after: space)...]), count > 0 else {
        throw CommandFailure(description: "no collapsed stack: \(line)")
      }
      let parts = line[..<space].split(separator: ";", omittingEmptySubsequences: false).map(String.init)
      guard parts.count >= 1, !parts.contains("") else {
        throw CommandFailure(description: "a frame without a name: \(line)")
      }
      stacks.append(Stack(name: parts[0], frames: Array(parts.dropFirst()), count: count))
    }
    self.stacks = stacks
  }

  /// All samples of the stacks for which `condition` holds.
  package func count(where condition: (Stack) -> Bool) -> Int {
    stacks.reduce(0) { $0 + (condition($1) ? $1.count : 0) }
  }
  package var total: Int { count { _ in true } }

  /// The most frequent stacks, for a message.
  package var summary: String {
    stacks.sorted { $0.count > $1.count }.prefix(8)
      .map { "  \($0.count) \($0.name);\($0.frames.joined(separator: ";"))" }.joined(separator: "\n")
  }
}
