/// What a debuginfod client is told, in the words of elfutils' own (debuginfod-client-config(7)).
package struct DebuginfodConfiguration: Hashable, Sendable {
  /// Asked in this order, without a `/` at the end.
  package var servers: [String]
  /// `nil` when there is nowhere to keep anything: then servers are not asked either.
  package var cachePath: String?
  /// Uses what the cache has and asks nobody.
  package var isOffline = false
  package var connectTimeoutSeconds = 10
  /// Fails a download when fewer than `stallByteCount` bytes came in so long.
  package var stallSeconds = 90
  package var stallByteCount = 100 * 1024
  /// Of a whole download; 0: as long as it goes on.
  package var totalSeconds = 0
  package var maximumByteCount = 2 << 30

  package init(servers: [String] = [], cachePath: String? = nil) {
    self.servers = servers
    self.cachePath = cachePath
  }

  /// - Parameters:
  ///   - servers: asked before those of the environment.
  ///   - environment: the value of a variable; `nil` when it is not set.
  ///   - isDirectory: whether a path is a directory that is there.
  package init(servers: [String], environment: (String) -> String?, isDirectory: (String) -> Bool) {
    func value(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
    func number(_ name: String) -> Int? { value(name).flatMap { Int($0) }.flatMap { $0 > 0 && $0 <= 1 << 40 ? $0 : nil } }
    // Newer clients put words such as `ima:enforcing` among the addresses.
    let named = value("DEBUGINFOD_URLS").map { $0.split(separator: " ").map(String.init).filter { $0.contains("://") } } ?? []
    self.servers = []
    for server in servers + named {
      var server = server
      while server.hasSuffix("/") { server.removeLast() }
      if !self.servers.contains(server) { self.servers.append(server) }
    }
    cachePath = Self.cachePath(value, isDirectory)
    if let seconds = number("DEBUGINFOD_TIMEOUT") { stallSeconds = min(seconds, 86_400) }
    if let seconds = number("DEBUGINFOD_MAXTIME") { totalSeconds = min(seconds, 86_400) }
    if let bytes = number("DEBUGINFOD_MAXSIZE") { maximumByteCount = bytes }
    connectTimeoutSeconds = min(connectTimeoutSeconds, stallSeconds)
  }

  /// elfutils' order: what it is told, the old place when something is there, the place for caches.
  private static func cachePath(_ value: (String) -> String?, _ isDirectory: (String) -> Bool) -> String? {
    if let path = value("DEBUGINFOD_CACHE_PATH") { return path }
    let home = value("HOME") ?? "/"
    let old = home + "/.debuginfod_client_cache"
    if isDirectory(old) { return old }
    return (value("XDG_CACHE_HOME") ?? home + "/.cache") + "/debuginfod_client"
  }
}
