import TestSupport
import Testing

/// A fixture program and what is known of it.
struct KnownChain: Sendable, CustomTestStringConvertible {
  let program: String
  /// The names of the threads whose samples count; others are the program's start and its helpers.
  let threads: [String]
  /// Frames that follow each other, outermost first.
  let chain: [String]
  /// The least share of those threads' user-mode samples that hold the chain.
  var share = 0.95
  var testDescription: String { program }
}

extension KernelTests {
  static let chains: [KnownChain] = [
    KnownChain(program: "chain", threads: ["chain"], chain: ["main", "outer", "middle", "inner_hot"]),
    KnownChain(
      program: "chain_threads", threads: ["worker-0", "worker-1"], chain: ["thread_main", "outer", "middle", "inner_hot"]),
    // The pid stays and everything mapped in it changes; the first life has another name and another chain.
    KnownChain(program: "reexec", threads: ["exe"], chain: ["main", "second_life", "outer", "middle", "inner_hot"]),
    KnownChain(
      program: "reexec", threads: ["reexec"], chain: ["main", "first_life", "first_outer", "first_middle", "first_hot"],
      share: 0.85),
    KnownChain(
      program: "dlopen_deleted", threads: ["dlopen_deleted"],
      chain: ["main", "library_work", "library_outer", "library_middle", "library_hot"]),
    // The kernel keeps 15 bytes of a name.
    KnownChain(
      program: "stripped_debuglink", threads: ["stripped_debugl"], chain: ["main", "outer", "middle", "inner_hot"]),
    KnownChain(
      program: "short_children", threads: ["exe"], chain: ["main", "child_life", "outer", "middle", "inner_hot"]),
    KnownChain(program: "forker", threads: ["forker"], chain: ["main", "child_life", "outer", "middle", "inner_hot"]),
    KnownChain(program: "mapper", threads: ["mapper"], chain: ["a_outer", "a_middle", "a_hot"], share: 0.4),
    KnownChain(program: "mapper", threads: ["mapper"], chain: ["b_outer", "b_middle", "b_hot"], share: 0.4),
  ]

  @Test(arguments: chains) func `the known call chain of a program holds nearly all of its samples`(known: KnownChain) throws {
    let recording = try Recording(of: [FixtureProgram.path(known.program), "3"])
    let stacks = try recording.stacks()
    // The loader's start (CPUID traps in a virtual machine, millisecond after millisecond) is no part of the program.
    let own = stacks.count {
      known.threads.contains($0.name) && $0.isInUserMode && !$0.contains(["_dl_start"])
    }
    let inChain = stacks.count { known.threads.contains($0.name) && $0.isInUserMode && $0.contains(known.chain) }
    // Three seconds are 1,497 samples; the other half of the machine may be busy, the other life of a program short.
    #expect(own > 20, "\(recording.outcome)\n\(stacks.summary)")
    #expect(Double(inChain) >= known.share * Double(own), "\(inChain) of \(own)\n\(stacks.summary)")
  }

  @Test func `the samples of a busy second are as many as were asked for`() throws {
    let recording = try Recording(of: [FixtureProgram.path("chain"), "2"], symbolize: false)
    let recorded = try #require(try recording.fact("samples.recorded"))
    // Two seconds of one thread at 499 Hz; less when the machine's other work takes the core.
    #expect(recorded > 150 && recorded < 1200, "\(recorded)")
    #expect(try recording.fact("samples.lost") == 0)
    #expect(try recording.fact("frequency_hz") == 499)
  }

  @Test func `time in the kernel hangs under the function that made the system call`() throws {
    let recording = try Recording(of: [FixtureProgram.path("kernel_heavy"), "2"])
    let stacks = try recording.stacks()
    let kernel = stacks.count { $0.name == "kernel_heavy" && !$0.isInUserMode }
    let under = stacks.count {
      $0.name == "kernel_heavy" && !$0.isInUserMode && $0.userFrames.suffix(2).elementsEqual(["main", "read_zeroes"])
    }
    #expect(kernel > 100 && Double(under) >= 0.95 * Double(kernel), "\(under) of \(kernel)\n\(stacks.summary)")
    // kallsyms names what ran there.
    #expect(stacks.count { $0.frames.contains { $0.hasSuffix("_[k]") && $0.contains("read") } } > kernel / 2, "\(stacks.summary)")
  }

  @Test func `a stub of the procedure linkage table is named after what it calls`() throws {
    let recording = try Recording(of: [FixtureProgram.path("plt_heavy"), "2"])
    let stacks = try recording.stacks()
    let leaves = ["plt_target", "plt_target@plt", "call_through_plt"]
    let own = stacks.count { $0.name == "plt_heavy" && $0.isInUserMode }
    let known = stacks.count { $0.name == "plt_heavy" && leaves.contains($0.frames.last ?? "") }
    #expect(own > 100 && Double(known) >= 0.95 * Double(own), "\(known) of \(own)\n\(stacks.summary)")
    #expect(stacks.count { $0.frames.last == "plt_target@plt" } > 0, "\(stacks.summary)")
  }

  @Test func `names of C++ and Swift are readable`() throws {
    let cpp = try Recording(of: [FixtureProgram.path("cpp_names"), "1"]).stacks()
    let kernel = cpp.count { $0.frames.last?.contains("geometry::Kernel::operator()") == true }
    #expect(Double(kernel) >= 0.9 * Double(cpp.count { $0.isInUserMode && $0.name == "cpp_names" }), "\(cpp.summary)")
    let swift = try Recording(of: [FixtureProgram.path("swift_names"), "1"]).stacks()
    let grown = swift.count { $0.frames.last?.contains("Flower.grow") == true }
    #expect(Double(grown) >= 0.9 * Double(swift.count { $0.isInUserMode && $0.name == "swift_names" }), "\(swift.summary)")
  }
}
