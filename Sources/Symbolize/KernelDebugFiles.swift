package import Base

/// Where distributions put the debug files of a kernel and its modules.
extension ImageLocator {
  /// The file with the debug information of the recorded kernel, or of one of its modules.
  ///
  /// Servers are asked only when they were named for this run (`asksForKernels`): a kernel's file has up to a gigabyte, and its
  /// functions have their names without it.
  /// - Parameters:
  ///   - module: `vmlinux` for the kernel itself.
  ///   - buildID: without one nothing proves that a file belongs, and none is used.
  ///   - release: what `uname -r` said where it was recorded.
  package func locateKernel(_ module: String, buildID: BuildID?, release: String) -> Located {
    var search = Search(access: access)
    search.wanted = buildID
    let isSafe = Self.isPlainName(module) && Self.isPlainName(release)
    for root in debugDirectories {
      if let buildID, let found = search.byBuildID(.debugDirectoryBuildID, root + "/" + Self.path(of: buildID)) {
        return Located(image: nil, debugFile: found, steps: search.steps)
      }
      guard isSafe else { continue }
      for name in Self.kernelNames(module, release) {
        if let found = search.byName(.debugDirectoryName, root + name, nil) {
          return Located(image: nil, debugFile: found, steps: search.steps)
        }
      }
    }
    for root in (sysroot.map { [$0] } ?? []) + [""] {
      if let buildID, let found = search.byBuildID(.globalBuildID, "/usr/lib/debug/" + Self.path(of: buildID), below: root) {
        return Located(image: nil, debugFile: found, steps: search.steps)
      }
      guard isSafe else { continue }
      for name in Self.kernelNames(module, release) {
        for place in ["/usr/lib/debug" + name, name] {
          if let found = search.byName(.kernelFile, place, nil, below: root) {
            return Located(image: nil, debugFile: found, steps: search.steps)
          }
        }
      }
    }
    var served: ImageBytes?
    if asksForKernels, let remote, let buildID { served = search.ask(remote, .debugFile, buildID) }
    return Located(image: nil, debugFile: served, steps: search.steps)
  }

  /// Debian and Ubuntu keep a kernel under `boot`, Fedora and its like under `lib/modules`; who builds his own has it there too.
  private static func kernelNames(_ module: String, _ release: String) -> [String] {
    if module == "vmlinux" {
      return ["/boot/vmlinux-" + release, "/lib/modules/\(release)/vmlinux", "/lib/modules/\(release)/build/vmlinux"]
    }
    // Modules lie in folders of their own, which only a build ID leads to; those built apart are in these two.
    return ["/lib/modules/\(release)/updates/dkms/\(module).ko", "/lib/modules/\(release)/extra/\(module).ko"]
  }
}
