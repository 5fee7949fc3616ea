import Foundation
import FoundationXML
import Testing

@testable import LoadGenerator

struct LoadChartTests {
  /// What a reader of XML makes of it.
  private final class Elements: NSObject, XMLParserDelegate {
    var names: [String] = []
    var attributes: [[String: String]] = []
    var text = ""

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      names.append(name)
      self.attributes.append(attributes)
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

    func all(_ name: String) -> [[String: String]] {
      zip(names, attributes).filter { $0.0 == name }.map(\.1)
    }
  }

  private func elements(of svg: String) throws -> Elements {
    let parser = XMLParser(data: Data(svg.utf8))
    let elements = Elements()
    parser.delegate = elements
    #expect(parser.parse(), "\(parser.parserError.map { "\($0)" } ?? "") in \(svg)")
    return elements
  }

  @Test func wellFormedWithALineForEachSeries() throws {
    let chart = LoadChart(
      title: "through <a> & \"b\"", subtitle: "a control \u{1} character",
      series: [
        .init(name: "64 B tx", points: [(1, 1_000_000), (2, 1_900_000), (4, 3_700_000)]),
        .init(name: "1500 B rx", points: [(1, 700_000), (2, 650_000), (4, 0)]),
      ])
    let elements = try elements(of: chart.svg)
    #expect(elements.names.first == "svg")
    #expect(elements.all("circle").count == 6)
    // Two lines and two of the legend.
    #expect(elements.all("polyline").count == 4)
    for words in ["through <a> & \"b\"", "queue pairs", "packets per second", "64 B tx", "1500 B rx", "3.5M", "4M"] {
      #expect(elements.text.contains(words), "no '\(words)' in \(elements.text)")
    }
    // Everything is on the picture, and 0 is on the axis.
    for circle in elements.all("circle") {
      let x = try #require(circle["cx"].flatMap { Double($0) })
      let y = try #require(circle["cy"].flatMap { Double($0) })
      #expect((84...664).contains(x) && (76...456).contains(y), "\(circle)")
    }
    #expect(elements.all("circle").last?["cy"] == "456")
  }

  @Test func aStraightLineIsStraight() throws {
    let chart = LoadChart(
      title: "t", subtitle: "s", series: [.init(name: "n", points: [(1, 100), (2, 200), (8, 800)])])
    let points = try elements(of: chart.svg).all("circle").map { circle in
      (try #require(circle["cx"].flatMap { Double($0) }), try #require(circle["cy"].flatMap { Double($0) }))
    }
    let slopes = [(0, 1), (1, 2)].map { (points[$0.1].1 - points[$0.0].1) / (points[$0.1].0 - points[$0.0].0) }
    #expect(abs(slopes[0] - slopes[1]) < 0.01)
  }

  @Test(arguments: [0.0, 0.4, 3, 999, 12345, 5e7]) func anyRange(_ rate: Double) throws {
    let chart = LoadChart(title: "t", subtitle: "s", series: [.init(name: "n", points: [(1, rate)])])
    let texts = try elements(of: chart.svg).all("text").count
    #expect((6...20).contains(texts), "\(texts)")
  }

  @Test func nothingMeasured() throws {
    _ = try elements(of: LoadChart(title: "t", subtitle: "s", series: []).svg)
  }
}
