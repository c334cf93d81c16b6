package import Base
package import Configuration
package import Java
package import Recorder
package import Replayer

/// What an agent is asked for beside its configuration file.
package struct AgentOptions: Sendable {
  /// Directory of what was recorded and not delivered yet; made when it is not there.
  package var spool = ""
  /// Bytes of the spool; above that the oldest goes.
  package var spoolBytes: UInt64 = 1 << 30
  /// How long something may wait in the spool, in nanoseconds.
  package var spoolAge: UInt64 = 24 * 3_600_000_000_000
  /// How long the end of the agent may take to deliver the rest, in nanoseconds.
  package var drainNanoseconds: UInt64 = 30_000_000_000
  /// `HOST:PORT` of the page with metrics and health; `nil` for none.
  package var listenAddress: String?
  package var userAgent = "pyrorec"
  /// The library that JVMs may load where their component names none.
  package var asyncProfiler: AgentLibrary?
  package var recorder = RecorderConfiguration()
  package init() {}
}

/// What the agent cannot know by itself, given by whoever starts it.
package struct AgentEnvironment: Sendable {
  /// Reads and checks the configuration file anew.
  package var configuration: @Sendable () throws(AgentError) -> Configuration
  /// What a source finds now; `nil` when it cannot be asked by this program.
  package var discover: @Sendable (Configuration.Component, DecodedBlock) -> Discovered?
  /// Tells when what is asked for by `discover` has changed.
  package var news = DiscoveryNews()
  /// How the symbols of a window are looked up.
  package var symbolize: @Sendable (LoadedTrace) -> SymbolizeStage?
  /// Takes the agent's messages.
  package var log: @Sendable (AgentMessage) -> Void

  package init(
    configuration: @escaping @Sendable () throws(AgentError) -> Configuration,
    discover: @escaping @Sendable (Configuration.Component, DecodedBlock) -> Discovered?,
    symbolize: @escaping @Sendable (LoadedTrace) -> SymbolizeStage?, log: @escaping @Sendable (AgentMessage) -> Void
  ) {
    self.configuration = configuration
    self.discover = discover
    self.symbolize = symbolize
    self.log = log
  }
}

/// Something the agent says.
package enum AgentMessage: Hashable, Sendable {
  case detail(String)
  case note(String)
  case warning(String)
  case error(String)
}

/// Why an agent cannot begin, or had to end.
package enum AgentError: Error {
  /// The configuration's errors, as they are printed.
  case configuration(String)
  case unreadable(SystemCallError)
  case spool(SystemCallError)
  case spoolInUse(String)
  case address(String, why: String)
  case endpoint(String, why: String)
  case recorder(RecorderError)
}

extension AgentError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .configuration(let text): text
    case .unreadable(let cause): "\(cause)"
    case .spool(let cause): "\(cause). The spool keeps what is not delivered yet: give another directory with --spool"
    case .spoolInUse(let path): "\(path): another agent uses this spool; end it, or give this one a spool of its own with --spool"
    case .address(let address, let why): "\(address): \(why); give another address with --server.http.listen-addr"
    case .endpoint(let name, let why): "\(name): \(why)"
    case .recorder(let cause): "\(cause)"
    }
  }
}
