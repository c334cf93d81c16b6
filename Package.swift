// swift-tools-version: 6.2
import PackageDescription

// What every target is held to; `Base` alone adds lifetimes, sources add strict memory safety.
let common: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
]
let strict = common + [.strictMemorySafety()]
let lifetimes = strict + [.enableExperimentalFeature("Lifetimes")]

// Optimized in debug builds too: a table that takes a second there would keep every test of a recording waiting.
let optimized = lifetimes + [.unsafeFlags(["-O"], .when(configuration: .debug))]

// `:libNAME.a` links the archive, so that one file runs on a host that has none of these.
let staticBPF: [LinkerSetting] = [
  .linkedLibrary(":libbpf.a"), .linkedLibrary(":libelf.a"), .linkedLibrary(":libz.a"), .linkedLibrary(":libzstd.a"),
]
// From 1.10 on (Debian 13) Debian's liblz4.a calls xxHash's own library; older ones bring it along and leave that unused.
let staticLZ4: [LinkerSetting] = [.linkedLibrary(":liblz4.a"), .linkedLibrary(":libxxhash.a")]

func room(_ name: String, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = strict) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: common)
}

let package = Package(
  name: "pyrorec",
  products: [.executable(name: "pyrorec", targets: ["pyrorec"])],
  dependencies: [
    // Commands, flags, help and completions from one definition.
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    // The message levels people already know, with a handler of ours behind them.
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    // C: what the kernel side and Swift both read, and the libraries, one room each.
    .target(name: "CRecorderABI", path: "bpf/abi"),
    .target(name: "CUnwind", dependencies: ["CRecorderABI"], path: "bpf/host", cSettings: [.headerSearchPath("..")]),
    .systemLibrary(name: "CLZ4", path: "Sources/CLZ4"),
    .systemLibrary(name: "CZlib", path: "Sources/CZlib"),
    .systemLibrary(name: "CZstd", path: "Sources/CZstd"),
    .systemLibrary(name: "CLzma", path: "Sources/CLzma"),
    .systemLibrary(name: "CDeflate", path: "Sources/CDeflate"),
    .target(name: "CLibBPF", path: "Sources/CLibBPF", linkerSettings: staticBPF),
    .target(name: "CLaunch", path: "Sources/CLaunch"),
    .target(name: "CMapping", path: "Sources/CMapping"),
    .target(name: "CCurl", path: "Sources/CCurl"),
    .target(name: "CAttach", path: "Sources/CAttach"),
    .target(name: "CDemangle", path: "Sources/CDemangle", linkerSettings: [.linkedLibrary(":libiberty.a")]),

    .executableTarget(name: "EmbedBPF", swiftSettings: strict),
    .plugin(name: "CompileBPF", capability: .buildTool(), dependencies: ["EmbedBPF"]),

    // The rooms, lowest first (ARCHITECTURE.md).
    room("Base", ["CMapping"], settings: lifetimes),
    .target(
      name: "TraceFormat", dependencies: ["Base", "CLZ4"], swiftSettings: lifetimes,
      linkerSettings: staticLZ4),
    // The archives of zstd and zlib are among `staticBPF`: named here too, they would come before libelf, which needs them after.
    .target(
      name: "ObjectFile", dependencies: ["Base", "CDeflate", "CZlib", "CZstd", "CLzma"], swiftSettings: lifetimes,
      linkerSettings: [.linkedLibrary(":libdeflate.a"), .linkedLibrary(":liblzma.a")]),
    .target(name: "Profile", dependencies: ["Base", "CZlib"], swiftSettings: lifetimes),
    room("Targets", ["Base"]),
    room("Configuration", ["Base", "Targets"]),
    room("JFR", ["Base"], settings: lifetimes),
    room("JavaProfiles", ["Base", "JFR", "Profile"], settings: lifetimes),
    room("Java", ["Base", "JFR", "CAttach"]),
    room("Unwind", ["Base", "ObjectFile", "CRecorderABI", "CUnwind"], settings: optimized),
    room("Interpreters", ["Base", "ObjectFile", "CRecorderABI"], settings: lifetimes),
    .target(name: "DebugInfo", dependencies: ["Base", "ObjectFile"], swiftSettings: lifetimes),
    room("Symbolize", ["Base", "ObjectFile", "DebugInfo", "CDemangle"], settings: lifetimes),
    .target(
      name: "Recorder",
      dependencies: [
        "Base", "TraceFormat", "ObjectFile", "Targets", "Unwind", "Interpreters", "Java", "CRecorderABI", "CUnwind", "CLibBPF", "CLaunch",
      ],
      swiftSettings: lifetimes, plugins: ["CompileBPF"]),
    room(
      "Replayer", ["Base", "TraceFormat", "Symbolize", "ObjectFile", "Unwind", "Interpreters", "Targets", "Profile"], settings: lifetimes),
    room("HTTP", ["Base", "CCurl"]),
    room("Discovery", ["Base", "Targets", "Configuration", "HTTP"]),
    room("Uploader", ["Base", "Profile", "HTTP"]),
    room("Debuginfod", ["Base", "ObjectFile", "Symbolize", "HTTP"]),
    room(
      "Agent",
      [
        "Base", "TraceFormat", "Symbolize", "Targets", "Configuration", "Profile", "JFR", "JavaProfiles", "Java", "Recorder", "Replayer",
        "HTTP", "Uploader",
      ],
      settings: lifetimes),
    .executableTarget(
      name: "pyrorec",
      dependencies: [
        "Agent", "Base", "TraceFormat", "ObjectFile", "Targets", "Configuration", "Profile", "JFR", "JavaProfiles", "Java", "Symbolize",
        "Recorder", "Replayer",
        "Uploader", "HTTP", "Debuginfod", "Discovery",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),

    .target(
      name: "TestSupport", dependencies: ["Base", "TraceFormat", "Profile", "HTTP"], path: "Tests/TestSupport",
      swiftSettings: common),
    tests("BaseTests", ["Base"]),
    tests("TraceFormatTests", ["TraceFormat", "Base"]),
    tests("ObjectFileTests", ["ObjectFile", "Base"]),
    tests("DebugInfoTests", ["DebugInfo", "ObjectFile", "Base"]),
    tests("TargetsTests", ["Targets", "Base"]),
    tests("ConfigurationTests", ["Configuration", "Targets", "Base"]),
    tests("ProfileTests", ["Profile", "Base"]),
    tests("UnwindTests", ["Unwind", "ObjectFile", "Base"]),
    tests("InterpretersTests", ["Interpreters", "ObjectFile", "Base", "CRecorderABI"]),
    tests("JFRTests", ["JFR", "Base"]),
    tests("JavaTests", ["Java", "JFR", "Base"]),
    tests("JavaProfilesTests", ["JavaProfiles", "JFR", "Profile", "Base"]),
    tests("SymbolizeTests", ["Symbolize", "ObjectFile", "Base"]),
    tests("RecorderTests", ["Recorder", "Java", "TraceFormat", "ObjectFile", "Unwind", "Interpreters", "Base", "CRecorderABI", "CUnwind"]),
    tests("ReplayerTests", ["Replayer", "TraceFormat", "Symbolize", "Profile", "Targets", "Base"]),
    tests("DiscoveryTests", ["Discovery", "Targets", "Configuration", "HTTP", "Base"]),
    tests("UploaderTests", ["Uploader", "HTTP", "Profile", "Base"]),
    tests("AgentTests", ["Agent", "Java", "Configuration", "Targets", "Replayer", "Uploader", "HTTP", "Profile", "TraceFormat", "Base"]),
    tests("DebuginfodTests", ["Debuginfod", "Symbolize", "ObjectFile", "HTTP", "Base"]),
    tests("PipelineTests", ["Replayer", "Recorder", "TraceFormat", "Symbolize", "Profile", "Base"]),
    tests("CommandTests", ["Base", "TraceFormat", "Profile"]),
    tests("KernelTests", ["Recorder", "TraceFormat", "Base"]),
  ],
  swiftLanguageModes: [.v6]
)

// Not part of the product, built on request:
//   PYROREC_TOOLS=1 swift run push-receiver           takes pushes by Pyroscope's rules, for trying uploads without a server
//   PYROREC_TOOLS=1 swift run discover FILE.alloy     prints the targets that the configuration's sources find
//   PYROREC_TOOLS=1 swift run segment-copy FROM TO    writes a trace's records again, and says how long it took
//   PYROREC_TOOLS=1 swift run unwind-tables               builds unwind tables of files, and measures or prints them
//   PYROREC_TOOLS=1 swift run unwind-threads PID          unwinds a process that stands still (scripts/try-gdb)
//   PYROREC_TOOLS=1 swift run stack-copies TRACE…         prints the copies of stacks that are not unwound again as recorded
//   PYROREC_TOOLS=1 swift run symbol-names FILE           prints the functions and lines of the addresses it reads
if Context.environment["PYROREC_TOOLS"] != nil {
  // How long relabelling takes: Benchmarks/relabel.
  package.targets.append(
    .executableTarget(name: "relabel-bench", dependencies: ["Targets"], path: "Benchmarks/relabel", swiftSettings: common))
  // The groups that our regular expressions find, for comparing them with Go's: scripts/compare-regex.
  package.targets.append(
    .executableTarget(
      name: "regex-groups", dependencies: ["Targets", "Base"], path: "Tests/RegexGroups", exclude: ["oracle.go"],
      swiftSettings: common))
  package.targets.append(
    .executableTarget(
      name: "push-receiver", dependencies: ["TestSupport", "Profile", "Base"], path: "Tests/PushReceiver",
      swiftSettings: common, linkerSettings: staticLZ4 + [.linkedLibrary(":libz.a")]))
  // What a configuration's discovery sources say, as it changes: scripts/try-docker, scripts/try-kubernetes.
  package.targets.append(
    .executableTarget(
      name: "discover", dependencies: ["Discovery", "Configuration", "Targets", "TestSupport", "HTTP", "Base"],
      path: "Tests/Discover", swiftSettings: common, linkerSettings: staticLZ4 + [.linkedLibrary(":libz.a")]))
  package.targets.append(
    .executableTarget(
      name: "segment-copy", dependencies: ["TraceFormat", "Base"], path: "Benchmarks/SegmentCopy", swiftSettings: common))
  package.targets.append(
    .executableTarget(
      name: "unwind-tables", dependencies: ["Unwind", "Base"], path: "Benchmarks/UnwindTables", swiftSettings: common,
      linkerSettings: [.linkedLibrary(":libzstd.a"), .linkedLibrary(":libz.a")]))
  package.targets.append(
    .executableTarget(
      name: "unwind-threads", dependencies: ["Recorder", "TraceFormat", "Base"], path: "Tests/UnwindThreads", swiftSettings: common))
  package.targets.append(
    .executableTarget(
      name: "stack-copies", dependencies: ["Replayer", "TraceFormat", "Base"], path: "Tests/StackCopies", swiftSettings: common,
      linkerSettings: staticLZ4 + [.linkedLibrary(":libzstd.a"), .linkedLibrary(":libz.a")]))
  package.targets.append(
    .executableTarget(
      name: "symbol-names", dependencies: ["Symbolize", "Base"], path: "Benchmarks/Names", swiftSettings: common,
      linkerSettings: [.linkedLibrary(":libzstd.a"), .linkedLibrary(":libz.a")]))
  // Prints the frames of addresses, for comparing with llvm-symbolizer and for measuring (scripts/compare-dwarf, Benchmarks/):
  //   PYROREC_TOOLS=1 swift build -c release --product dwarf-frames
  package.targets.append(
    .executableTarget(
      name: "dwarf-frames", dependencies: ["DebugInfo", "Base"], path: "Tests/DwarfFrames",
      swiftSettings: common + [.enableExperimentalFeature("Lifetimes")],
      linkerSettings: [.linkedLibrary(":libzstd.a"), .linkedLibrary(":libz.a")]))
}

// For scripts/fuzz, nothing else than what is fuzzed, with the sanitizers: quick to build and without other packages.
if Context.environment["PYROREC_TOOLS"] == "fuzz" {
  let rooms = [
    "Base", "ObjectFile", "Unwind", "Interpreters", "DebugInfo", "Symbolize", "TraceFormat", "Profile", "JFR", "JavaProfiles", "Targets",
    "Replayer",
  ]
  let libraries = ["CRecorderABI", "CUnwind", "CLZ4", "CZlib", "CDeflate", "CZstd", "CLzma", "CMapping", "CDemangle"]
  let sanitizers = ["-sanitize=fuzzer,address", "-use-ld=lld"]
  package.products = []
  package.dependencies = []
  package.targets.removeAll { !(rooms + libraries).contains($0.name) }
  for target in package.targets where rooms.contains(target.name) {
    target.swiftSettings = (target.swiftSettings ?? []) + [.unsafeFlags(["-sanitize=fuzzer,address"])]
  }
  package.targets.append(
    .executableTarget(
      name: "fuzz", dependencies: (rooms + ["CRecorderABI"]).map { .byName(name: $0) }, path: "Fuzz/Sources",
      swiftSettings: common + [.unsafeFlags(["-sanitize=fuzzer,address"])],
      linkerSettings: [.linkedLibrary(":libzstd.a"), .linkedLibrary(":libz.a"), .unsafeFlags(sanitizers)]))
}
