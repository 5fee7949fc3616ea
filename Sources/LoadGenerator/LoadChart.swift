/// Packets a second against queue pairs, as an SVG 1.1 picture: a line for each frame size and direction.
///
/// Both axes are linear and begin at 0, so that what scales is a straight line.
public struct LoadChart: Sendable {
  /// One line.
  public struct Series: Sendable, Equatable {
    /// What the legend calls it.
    public let name: String
    /// Pairs and packets a second.
    public let points: [(pairs: Int, rate: Double)]

    /// Takes both.
    public init(name: String, points: [(pairs: Int, rate: Double)]) {
      self.name = name
      self.points = points
    }

    /// By value.
    public static func == (first: Series, second: Series) -> Bool {
      first.name == second.name && first.points.elementsEqual(second.points) { $0 == $1 }
    }
  }

  private let title: String
  private let subtitle: String
  private let series: [Series]

  private static let width = 880
  private static let height = 520
  private static let left = 84
  private static let right = 216
  private static let top = 76
  private static let bottom = 64
  /// Distinct to the colour-blind too (Okabe and Ito); dashes tell a second round from the first.
  private static let colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
  private static let dashes = ["", "7 4", "2 3"]

  /// Takes what to draw.
  public init(title: String, subtitle: String, series: [Series]) {
    self.title = title
    self.subtitle = subtitle
    self.series = series
  }

  /// Of measurements: frame sizes in the order in which they come, each direction for itself.
  public init(title: String, subtitle: String, _ measurements: [LoadMeasurement]) {
    var series: [(name: String, points: [(pairs: Int, rate: Double)])] = []
    for measurement in measurements {
      let name = "\(measurement.size) B \(measurement.direction.rawValue)"
      let point = (pairs: measurement.pairs, rate: measurement.total.rate)
      if let index = series.firstIndex(where: { $0.name == name }) {
        series[index].points.append(point)
      } else {
        series.append((name, [point]))
      }
    }
    self.init(
      title: title, subtitle: subtitle,
      series: series.map { Series(name: $0.name, points: $0.points.sorted { $0.pairs < $1.pairs }) })
  }

  /// The picture, a whole document.
  public var svg: String {
    let most = series.flatMap(\.points).map(\.rate).max() ?? 0
    let step = Self.step(for: most)
    let limit = max(step, (most / step).rounded(.up) * step)
    let counts = Set(series.flatMap(\.points).map(\.pairs)).sorted()
    let pairs = max(counts.last ?? 1, 1)
    func x(_ count: Int) -> Double {
      Double(Self.left) + Double(Self.width - Self.left - Self.right) * Double(count) / Double(pairs)
    }
    func y(_ rate: Double) -> Double {
      Double(Self.height - Self.bottom) - Double(Self.height - Self.top - Self.bottom) * rate / limit
    }
    let floor = Double(Self.height - Self.bottom)
    let end = Double(Self.width - Self.right)
    var lines = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width) \(Self.height)" width="\(Self.width)" \
      height="\(Self.height)" font-family="sans-serif" font-size="13" fill="#222">
      """,
      "<title>\(Self.escaped(title))</title>",
      "<rect width=\"\(Self.width)\" height=\"\(Self.height)\" fill=\"#ffffff\"/>",
      Self.text(Double(Self.left), 32, title, "font-size=\"18\" font-weight=\"bold\""),
      Self.text(Double(Self.left), 53, subtitle, "fill=\"#555\""),
    ]
    for tick in 0...Int((limit / step).rounded()) {
      let rate = Double(tick) * step
      lines.append(Self.line(Double(Self.left), y(rate), end, y(rate), tick == 0 ? "#222" : "#ddd"))
      lines.append(Self.text(Double(Self.left) - 8, y(rate) + 4, Self.short(rate), "text-anchor=\"end\""))
    }
    lines.append(Self.line(Double(Self.left), Double(Self.top), Double(Self.left), floor, "#222"))
    for count in counts {
      lines.append(Self.line(x(count), floor, x(count), floor + 5, "#222"))
      lines.append(Self.text(x(count), floor + 21, "\(count)", "text-anchor=\"middle\""))
    }
    lines.append(
      Self.text((Double(Self.left) + end) / 2, floor + 46, "queue pairs", "text-anchor=\"middle\" font-weight=\"bold\"")
    )
    let middle = (Double(Self.top) + floor) / 2
    lines.append(
      Self.text(
        22, middle, "packets per second",
        "text-anchor=\"middle\" font-weight=\"bold\" transform=\"rotate(-90 22 \(Self.number(middle)))\""))
    for (index, one) in series.enumerated() {
      let colour = Self.colours[index % Self.colours.count]
      let dash = Self.dashes[index / Self.colours.count % Self.dashes.count]
      let style =
        "fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\"" + (dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\"")
      let points = one.points.map { "\(Self.number(x($0.pairs))),\(Self.number(y($0.rate)))" }
      lines.append("<polyline points=\"\(points.joined(separator: " "))\" \(style)/>")
      for point in one.points {
        lines.append(
          """
          <circle cx="\(Self.number(x(point.pairs)))" cy="\(Self.number(y(point.rate)))" r="3.5" fill="\(colour)">\
          <title>\(Self.escaped(one.name)), \(point.pairs) pairs: \(Self.short(point.rate))</title></circle>
          """)
      }
      let row = Double(Self.top + 10 + 22 * index)
      lines.append(
        "<polyline points=\"\(Self.number(end + 24)),\(Self.number(row)) \(Self.number(end + 52)),\(Self.number(row))\" \(style)/>"
      )
      lines.append(Self.text(end + 60, row + 4, one.name, ""))
    }
    lines.append("</svg>")
    return lines.joined(separator: "\n") + "\n"
  }

  /// 1, 2 or 5 times a power of ten, so that there are four to nine of them.
  private static func step(for most: Double) -> Double {
    guard most > 0 else { return 1 }
    var power = 1.0
    while power * 10 <= most { power *= 10 }
    while power > most { power /= 10 }
    return power * (most / power < 2 ? 0.2 : most / power < 5 ? 0.5 : 1)
  }

  /// Such as 1.2M, 350k, 12.
  private static func short(_ rate: Double) -> String {
    if rate >= 1_000_000 { return "\(number(rate / 1_000_000))M" }
    if rate >= 1000 { return "\(number(rate / 1000))k" }
    return number(rate)
  }

  /// With at most two decimals.
  private static func number(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let whole = abs(hundredths) / 100
    let part = abs(hundredths) % 100
    let sign = hundredths < 0 ? "-" : ""
    if part == 0 { return "\(sign)\(whole)" }
    if part % 10 == 0 { return "\(sign)\(whole).\(part / 10)" }
    return "\(sign)\(whole).\(part < 10 ? "0" : "")\(part)"
  }

  private static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ colour: String) -> String {
    "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" stroke=\"\(colour)\"/>"
  }

  private static func text(_ x: Double, _ y: Double, _ words: String, _ attributes: String) -> String {
    "<text x=\"\(number(x))\" y=\"\(number(y))\"\(attributes.isEmpty ? "" : " ")\(attributes)>\(escaped(words))</text>"
  }

  private static func escaped(_ words: String) -> String {
    var result = ""
    for character in words.unicodeScalars {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      // What XML 1.0 has no way to say.
      case "\u{0}"..."\u{8}", "\u{B}"..."\u{C}", "\u{E}"..."\u{1F}", "\u{FFFE}"..."\u{FFFF}": result += "?"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }
}
