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

// `:libNAME.a` links the archive, so that one file runs on a host that has none of these.
let staticBPF: [LinkerSetting] = [
  .linkedLibrary(":libbpf.a"), .linkedLibrary(":libelf.a"), .linkedLibrary(":libz.a"), .linkedLibrary(":libzstd.a"),
]

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
    .systemLibrary(name: "CLZ4", path: "Sources/CLZ4"),
    .systemLibrary(name: "CZlib", path: "Sources/CZlib"),
    .target(name: "CLibBPF", path: "Sources/CLibBPF", linkerSettings: staticBPF),
    .target(name: "CLaunch", path: "Sources/CLaunch"),
    .target(name: "CCurl", path: "Sources/CCurl"),
    .target(name: "CDemangle", path: "Sources/CDemangle", linkerSettings: [.linkedLibrary(":libiberty.a")]),

    .executableTarget(name: "EmbedBPF", swiftSettings: strict),
    .plugin(name: "CompileBPF", capability: .buildTool(), dependencies: ["EmbedBPF"]),

    // The rooms, lowest first (ARCHITECTURE.md).
    room("Base", [], settings: lifetimes),
    .target(
      name: "TraceFormat", dependencies: ["Base", "CLZ4"], swiftSettings: lifetimes,
      linkerSettings: [.linkedLibrary(":liblz4.a")]),
    // zlib's archive is among `staticBPF`: named here too, it would come before libelf, which needs it after.
    .target(name: "ObjectFile", dependencies: ["Base", "CZlib"], swiftSettings: lifetimes),
    .target(name: "Profile", dependencies: ["Base", "CZlib"], swiftSettings: lifetimes),
    room("Targets", ["Base"]),
    room("Configuration", ["Base", "Targets"]),
    room("Symbolize", ["Base", "ObjectFile", "CDemangle"], settings: lifetimes),
    .target(
      name: "Recorder",
      dependencies: ["Base", "TraceFormat", "ObjectFile", "Targets", "CRecorderABI", "CLibBPF", "CLaunch"],
      swiftSettings: lifetimes, plugins: ["CompileBPF"]),
    room("Replayer", ["Base", "TraceFormat", "Symbolize", "ObjectFile", "Targets", "Profile"], settings: lifetimes),
    room("Uploader", ["Base", "Profile", "CCurl"]),
    .executableTarget(
      name: "pyrorec",
      dependencies: [
        "Base", "TraceFormat", "ObjectFile", "Targets", "Configuration", "Profile", "Symbolize", "Recorder", "Replayer", "Uploader",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),

    .target(
      name: "TestSupport", dependencies: ["Base", "TraceFormat", "Profile"], path: "Tests/TestSupport",
      swiftSettings: common),
    tests("BaseTests", ["Base"]),
    tests("TraceFormatTests", ["TraceFormat", "Base"]),
    tests("ObjectFileTests", ["ObjectFile", "Base"]),
    tests("TargetsTests", ["Targets", "Base"]),
    tests("ConfigurationTests", ["Configuration", "Targets", "Base"]),
    tests("ProfileTests", ["Profile", "Base"]),
    tests("SymbolizeTests", ["Symbolize", "ObjectFile", "Base"]),
    tests("RecorderTests", ["Recorder", "TraceFormat", "ObjectFile", "Base", "CRecorderABI"]),
    tests("ReplayerTests", ["Replayer", "TraceFormat", "Symbolize", "Profile", "Targets", "Base"]),
    tests("UploaderTests", ["Uploader", "Profile", "Base"]),
    tests("PipelineTests", ["Replayer", "Recorder", "TraceFormat", "Symbolize", "Profile", "Base"]),
    tests("CommandTests", ["Base", "TraceFormat", "Profile"]),
    tests("KernelTests", ["Recorder", "TraceFormat", "Base"]),
  ],
  swiftLanguageModes: [.v6]
)

// A server that takes pushes by Pyroscope's rules, for trying uploads where there is none:
//   PYROREC_TOOLS=1 swift run push-receiver
if Context.environment["PYROREC_TOOLS"] != nil {
  // How long relabelling takes: Benchmarks/relabel.
  package.targets.append(
    .executableTarget(name: "relabel-bench", dependencies: ["Targets"], path: "Benchmarks/relabel", swiftSettings: common))
  package.targets.append(
    .executableTarget(
      name: "push-receiver", dependencies: ["TestSupport", "Profile", "Base"], path: "Tests/PushReceiver",
      swiftSettings: common, linkerSettings: [.linkedLibrary(":liblz4.a"), .linkedLibrary(":libz.a")]))
}
