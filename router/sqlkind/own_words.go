package sqlkind

// What stands before a parenthesis and is no call: words that cannot be the names of functions (but those in quotes), in all
// versions that are supported, and those that begin an expression of the language's own.
const (
	postgresNoCalls = `
	all analyse analyze and any array as asc asymmetric between bigint bit boolean both case cast char character check
	coalesce collate column constraint create current_catalog current_date current_role current_time current_timestamp
	current_user dec decimal default deferrable desc distinct do else end except exists extract false fetch float for
	foreign from grant greatest group grouping having in initially inout int integer intersect interval into
	lateral leading least limit localtime localtimestamp national nchar none not null nullif numeric offset on only
	or order out overlaps overlay placing position precision primary real references returning row select session_user
	setof smallint some substring symmetric table then time timestamp to trailing treat trim true union unique user
	using values varchar variadic when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest
	xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`

	sqliteNoCalls = `
	all and as between case cast check collate distinct else escape except exists from group having in intersect is join like
	limit not null on or order select set then union using values when where`

	mysqlNoCalls = `
	all and as between bigint binary by case char dec decimal default distinct distinctrow div double else exists float
	from group having if in index int integer interval is join key like limit match mod not null numeric on or order
	over partition recursive regexp rlike select smallint straight_join then union using values varbinary varchar when
	where with xor`
)
