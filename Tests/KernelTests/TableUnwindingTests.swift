import TestSupport
import Testing

/// Code without frame pointers, unwound by tables: every frame is there, and none that is not.
extension KernelTests {
  /// The functions of `frames`, from the outermost on, when all `depth` of them are on the stack.
  private static func levels(_ depth: Int) -> [String] {
    let names = ["small_frame", "middle_frame", "large_frame", "alloca_frame"]
    // Function `next[depth % 4]` is given `depth`.
    return (0..<depth).map { names[(depth - max($0 - 1, 0)) % 4] }
  }

  private static func afterMain(_ stack: CollapsedStacks.Stack) -> [String]? {
    guard let main = stack.userFrames.firstIndex(of: "main") else { return nil }
    let callers = stack.userFrames[..<main]
    // libc's start code, by whatever its version calls it.
    guard callers.first == "_start" || callers.first == "[unknown]", callers.count <= 3 else { return nil }
    return Array(stack.userFrames[(main + 1)...])
  }

  /// Whether the stack is the inner end of one that comes from one of `roots` and goes `expected`'s way: all that a sample has
  /// that came before its tables and whose stack is larger than the copy of it.
  private static func isCut(_ stack: CollapsedStacks.Stack, roots: Set<[String]>, _ expected: [String]) -> Bool {
    let frames = stack.userFrames
    return roots.contains { root in
      let whole = root + expected
      // Where it ends, its innermost frame is the last that had been called.
      return (frames.count..<max(whole.count, frames.count)).contains {
        whole[$0] == frames.last && whole[($0 + 1 - frames.count)...$0].elementsEqual(frames)
      }
    }
  }

  @Test(arguments: [10, 54, 900])
  func `mutually recursive functions with frames of many sizes are all there, in order`(depth: Int) throws {
    let recording = try Recording(of: [FixtureProgram.path("bare/frames"), "recurse", "\(depth)", "3"])
    let found = try recording.stacks()
    let expected = Self.levels(depth) + ["leaf"]
    let own = Set(expected).union(["main"])
    let stacks = found.stacks.filter { $0.name == "frames" && $0.userFrames.contains { own.contains($0) } }
    let roots = Set(stacks.filter { Self.afterMain($0) != nil }.map { Array($0.userFrames.prefix { $0 != "main" }) + ["main"] })
    var exact = 0
    var cut = 0
    var others: [CollapsedStacks.Stack] = []
    for stack in stacks {
      guard let frames = Self.afterMain(stack) else {
        if Self.isCut(stack, roots: roots, expected) { cut += stack.count } else { others.append(stack) }
        continue
      }
      // On the way down or up only the first of them; main itself asks libc for this and that.
      let isInLibrary = frames.first.map { !expected.contains($0) } ?? false
      if isInLibrary || frames.elementsEqual(expected.prefix(frames.count)) { exact += stack.count } else { others.append(stack) }
    }
    let whole = stacks.reduce(0) { $0 + (Self.afterMain($1)?.count == expected.count ? $1.count : 0) }
    #expect(exact > 20 && others.isEmpty, "\(others)")
    #expect(whole > 0)
    // The recorder knows of each that is cut.
    let known = try recording.fact("unwind.truncated_by_depth") ?? 0
    let unread = try recording.fact("unwind.read_fault") ?? 0
    #expect(Double(cut) <= known + unread, "\(cut) are cut: \(found.summary)")
  }

  @Test func `a signal handler on a stack of its own is called by what it interrupted`() throws {
    let recording = try Recording(of: [FixtureProgram.path("bare/frames"), "signal", "12", "3"])
    let found = try recording.stacks()
    let stacks = found.stacks.filter { $0.name == "frames" && $0.frames.contains("handler_hot") }
    let expected = Self.levels(12) + ["leaf"]
    let all = stacks.reduce(0) { $0 + $1.count }
    let right = stacks.reduce(0) { $0 + (Self.afterMain($1)?.starts(with: expected) == true ? $1.count : 0) }
    // The copy of its own stack that a sample carries before the tables are there ends with that stack.
    #expect(all > 20 && Double(right) > 0.98 * Double(all), "\(right) of \(all): \(found.summary)")
  }

  @Test func `a function that libc calls back is called by who called libc`() throws {
    let recording = try Recording(of: [FixtureProgram.path("bare/frames"), "sort", "1", "3"])
    let found = try recording.stacks()
    let stacks = found.stacks.filter { $0.name == "frames" && $0.frames.last == "order_hot" }
    let all = stacks.reduce(0) { $0 + $1.count }
    let right = stacks.reduce(0) { sum, stack in
      let frames = Self.afterMain(stack) ?? []
      return sum + (frames.first == "sort_words" && frames.suffix(2) == ["order", "order_hot"] && frames.count > 3 ? stack.count : 0)
    }
    #expect(all > 20 && right == all, "\(right) of \(all): \(found.summary)")
  }

  @Test func `a function that left by a tail call is not there, and its caller is`() throws {
    let recording = try Recording(of: [FixtureProgram.path("bare/frames"), "tail", "1", "3"])
    let found = try recording.stacks()
    let stacks = found.stacks.filter { $0.name == "frames" && $0.frames.last == "order_hot" }
    let all = stacks.reduce(0) { $0 + $1.count }
    let right = stacks.reduce(0) { $0 + (Self.afterMain($1) == ["tail_last", "order_hot"] ? $1.count : 0) }
    #expect(all > 20 && right == all, "\(right) of \(all): \(found.summary)")
  }

  @Test func `exceptions thrown through frames are unwound to main at every moment`() throws {
    let recording = try Recording(of: [FixtureProgram.path("bare/frames_throw"), "3"])
    let found = try recording.stacks()
    let own = found.stacks.filter { $0.name == "frames_throw" && $0.userFrames.contains("catcher") }
    let all = own.reduce(0) { $0 + $1.count }
    let rooted = own.reduce(0) { $0 + (Self.afterMain($1)?.first == "catcher" ? $1.count : 0) }
    // Where the C++ runtime has put the landing pad's address in place of its own return address, before it jumps there,
    // no rule can tell the caller.
    #expect(all > 20 && Double(rooted) > 0.97 * Double(all), "\(rooted) of \(all): \(found.summary)")
    let complete = try #require(try recording.fact("unwind.complete"))
    let recorded = try #require(try recording.fact("samples.recorded"))
    #expect(complete >= recorded * 0.97, "\(complete) of \(recorded)")
  }

  @Test func `libraries that take turns at one address are never unwound by each other's tables`() throws {
    let recording = try Recording(of: [FixtureProgram.path("bare/mapper"), "4"])
    let found = try recording.stacks()
    let stacks = found.stacks.filter { stack in
      stack.name == "mapper" && stack.frames.contains { $0.hasPrefix("a_") || $0.hasPrefix("b_") }
    }
    let mixed = stacks.filter { stack in
      stack.frames.contains { $0.hasPrefix("a_") } && stack.frames.contains { $0.hasPrefix("b_") }
    }
    #expect(mixed.isEmpty, "\(mixed)")
    let all = stacks.reduce(0) { $0 + $1.count }
    let exact = stacks.reduce(0) { sum, stack in
      let frames = Self.afterMain(stack) ?? []
      let isWhole = ["a", "b"].contains { name in
        frames.starts(with: ["work_in", "mapped_work", "\(name)_outer", "\(name)_middle", "\(name)_hot"])
      }
      return sum + (isWhole ? stack.count : 0)
    }
    #expect(all > 100 && Double(exact) > 0.98 * Double(all), "\(exact) of \(all): \(found.summary)")
  }

  @Test func `programs that live twenty milliseconds are there from their first sample, whole`() throws {
    let recording = try Recording(of: [FixtureProgram.path("bare/short_children"), "4"])
    let found = try recording.stacks()
    let stacks = found.stacks.filter { $0.name == "exe" && $0.frames.contains("inner_hot") }
    let all = stacks.reduce(0) { $0 + $1.count }
    let whole = stacks.reduce(0) {
      $0 + (Self.afterMain($1) == ["child_life", "outer", "middle", "inner_hot"] ? $1.count : 0)
    }
    #expect(all > 100 && Double(whole) > 0.98 * Double(all), "\(whole) of \(all): \(found.summary)")
    #expect(try recording.fact("samples.lost") == 0)
  }

  @Test func `two hundred programs a second that live ten milliseconds are there under their own names, whole`() throws {
    let recording = try Recording(of: [FixtureProgram.path("bare/swarm"), "3", "200"])
    let found = try recording.stacks()
    let stacks = found.stacks.filter { $0.name.hasPrefix("job") && $0.frames.contains("inner_hot") }
    let all = stacks.reduce(0) { $0 + $1.count }
    let chain = ["job_life", "outer", "middle", "inner_hot"]
    let whole = stacks.reduce(0) { $0 + (Self.afterMain($1)?.starts(with: chain) == true ? $1.count : 0) }
    #expect(all > 100 && Double(whole) > 0.98 * Double(all), "\(whole) of \(all): \(found.summary)")
    #expect(Set(stacks.map(\.name)).count == 20)
    #expect(try recording.fact("samples.lost") == 0)
  }

  @Test func `the kernel's walk along frame pointers can be asked for`() throws {
    let recording = try Recording(of: [FixtureProgram.path("chain"), "1"], options: ["--unwind", "frame-pointers"])
    let complete = try #require(try recording.fact("unwind.complete"))
    let walked = try #require(try recording.fact("unwind.frame_pointers"))
    #expect(walked > 20 && complete < walked)
  }
}
