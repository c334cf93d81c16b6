import Base
import Glibc
import Targets

/// Which processes a recording is limited to, found out before it begins.
struct TargetSelection {
  var processes: [UInt32] = []
  /// Open directories of the cgroup v2 tree; closed by `close`.
  var cgroupDescriptors: [Int32] = []

  init(_ configuration: RecorderConfiguration, files: any ProcessFileSystem) throws(RecorderError) {
    for process in configuration.processes {
      guard (try? files.read("\(process.rawValue)/stat", limit: 4096)) != nil else { throw .noSuchProcess(process) }
      processes.append(process.rawValue)
    }
    do throws(RecorderError) {
      for path in configuration.cgroups { try open(cgroup: path, files) }
      for id in configuration.containers { try find(container: id, files) }
    } catch {
      close()
      throw error
    }
  }

  mutating func close() {
    for descriptor in cgroupDescriptors { _ = Glibc.close(descriptor) }
    cgroupDescriptors = []
  }

  private mutating func open(cgroup path: String, _ files: any ProcessFileSystem) throws(RecorderError) {
    guard cgroupDescriptors.count < 16 else { throw .cgroup(path: path, reason: "at most 16 cgroups can be given") }
    let root = Self.unifiedRoot(files)
    let candidates = path.hasPrefix("/sys/") ? [path] : ["\(root)/\(path)", path]
    for candidate in candidates {
      let descriptor = unsafe Glibc.open(candidate, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard descriptor >= 0 else { continue }
      guard candidate == root || candidate.hasPrefix(root + "/") else {
        _ = Glibc.close(descriptor)
        throw .cgroup(path: path, reason: "not a cgroup v2 directory (those are below \(root))")
      }
      cgroupDescriptors.append(descriptor)
      return
    }
    throw .cgroup(path: path, reason: "no such cgroup below \(root)")
  }

  /// A container by its cgroup where that is a v2 one of its own, else by the processes it has now and their children.
  private mutating func find(container id: String, _ files: any ProcessFileSystem) throws(RecorderError) {
    var found = false
    for pid in files.processes() {
      guard let bytes = try? files.read("\(pid)/cgroup", limit: 1 << 16) else { continue }
      let text = String(decoding: bytes, as: UTF8.self)
      guard let container = ContainerID.find(inCgroupFile: text), container.hasPrefix(id) else { continue }
      found = true
      if let path = Self.containerCgroup(text, container) {
        do throws(RecorderError) {
          try open(cgroup: path, files)
          return
        } catch {
          // Not mounted here: by its processes, then.
        }
      }
      processes.append(pid)
    }
    if !found { throw .noSuchContainer(id) }
  }

  /// The v2 path down to the component that names the container.
  private static func containerCgroup(_ text: String, _ container: String) -> String? {
    for line in text.split(separator: "\n") where line.hasPrefix("0::") {
      var path = ""
      for component in line.dropFirst(3).split(separator: "/") {
        path += "/" + component
        if component.contains(container) { return path }
      }
    }
    return nil
  }

  private static func unifiedRoot(_ files: any ProcessFileSystem) -> String {
    if let text = try? files.read("self/mounts", limit: 1 << 20) {
      for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
        let fields = line.split(separator: " ")
        if fields.count > 2, fields[2] == "cgroup2" { return String(fields[1]) }
      }
    }
    return "/sys/fs/cgroup"
  }
}
