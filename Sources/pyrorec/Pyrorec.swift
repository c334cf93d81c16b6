import ArgumentParser

@main struct Pyrorec: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "pyrorec", abstract: "Record, symbolize, convert and upload CPU profiles.")
}
