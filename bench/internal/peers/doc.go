// Package peers opens the libraries that are compared, all over the same servers and database/sql
// drivers, and gives them one face: each does what it is asked in the way that its own documentation
// shows first.
//
// All pools have the same bounds. What else each library is told:
//
//   - Bun: nothing.
//   - bindery: it is opened by its manager, as an application does, with every default.
//   - Bun + bunexp: the replicas are read-only ones of its ReadWriteConnResolver, the primary is the
//     Bun DB's own pool, as in Bun's own tests.
//   - gorm: SkipDefaultTransaction, as its page on performance recommends. PrepareStmt, which that page
//     recommends too, is off: nobody else here keeps prepared statements. Its logger is discarded.
//   - gorm + dbresolver: the same, with the plugin's default policy.
//   - xorm and its EngineGroup: the default policy; its logger is discarded.
//   - database/sql: one pool, hand-written SQL with arguments.
//   - bxcodec/dbresolver: the default policy, the same SQL.
package peers
