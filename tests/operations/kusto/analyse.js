// What the vendor's language service says about KQL queries: standard input {tables: {name: schema}, queries: {name: text}},
// standard output {name: [diagnostic]}. The package is made for browsers: it wants to be run in the global scope.
'use strict'
const fs = require('fs')
const path = require('path')
const vm = require('vm')

const folder = path.join(path.dirname(require.resolve('@kusto/language-service-next/package.json')))
for (const name of ['bridge.min.js', 'Kusto.Language.Bridge.min.js']) {
  vm.runInThisContext(fs.readFileSync(path.join(folder, name), 'utf8'), { filename: name })
}
const { Symbols, GlobalState, KustoCode } = Kusto.Language

function globalsWith (tables) {
  const symbols = Object.entries(tables).map(([name, schema]) => Symbols.TableSymbol.From(schema).WithName(name))
  const database = new Symbols.DatabaseSymbol.ctor('workspace', System.Array.init(symbols, Symbols.Symbol))
  return GlobalState.Default.WithDatabase(database)
}

function diagnosticsOf (query, globals) {
  const found = Bridge.getEnumerator(KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics())
  const texts = []
  while (found.moveNext()) {
    const { Severity, Message, Start } = found.Current
    const line = query.slice(0, Start).split('\n').length
    texts.push(`line ${line}: ${Severity}: ${Message}`)
  }
  return texts
}

const { tables, queries } = JSON.parse(fs.readFileSync(0, 'utf8'))
const globals = globalsWith(tables)
const said = Object.entries(queries).map(([name, query]) => [name, diagnosticsOf(query, globals)])
process.stdout.write(JSON.stringify(Object.fromEntries(said)))
