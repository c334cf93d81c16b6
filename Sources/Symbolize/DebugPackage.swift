/// The packages that hold the debug files of the libraries asked for most, by Debian's names, which Ubuntu has too.
enum DebugPackage {
  /// Libraries of glibc, which all come with one package.
  private static let glibc: Set<String> = [
    "libc", "libm", "libpthread", "libdl", "librt", "libresolv", "libnss_files", "libnss_dns", "libanl", "libmvec", "libutil",
    "ld-linux-x86-64", "ld-linux-aarch64",
  ]

  /// `nil` when the file's name does not say it.
  static func name(for path: String) -> String? {
    let file = path.split(separator: "/").last ?? ""
    guard let end = file.firstRange(of: ".so")?.lowerBound else { return interpreter(file) }
    let name = String(file[..<end])
    // `libc-2.31.so`, as glibc before 2.34 had it.
    let plain = name.split(separator: "-", maxSplits: 1).first.map(String.init) ?? name
    if glibc.contains(name) || glibc.contains(plain) && name.contains("-2.") { return "libc6-dbg" }
    if name == "libjvm" || name == "libjava" {
      let parts = path.split(separator: "/")
      guard let folder = parts.first(where: { $0.hasPrefix("java-") && $0.contains("-openjdk") }) else { return nil }
      return "openjdk-\(folder.dropFirst(5).prefix { $0.isNumber })-dbg"
    }
    if name.hasPrefix("libpython3.") { return "python\(name.dropFirst(9))-dbg" }
    return nil
  }

  private static func interpreter(_ file: Substring) -> String? {
    guard file.hasPrefix("python3."), file.dropFirst(8).allSatisfy(\.isNumber) else { return nil }
    return String(file) + "-dbg"
  }
}
