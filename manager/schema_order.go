package manager

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// sortTables puts referenced tables before those that refer to them, and otherwise keeps the order
// given. Where tables refer to each other in a circle, one comes first all the same, and its foreign
// keys into the circle are late.
func sortTables(models []*tableModel) []*tableModel {
	rest := slices.Clone(models)
	var sorted []*tableModel
	for len(rest) > 0 {
		next := slices.IndexFunc(rest, func(t *tableModel) bool { return len(waitsFor(t, rest)) == 0 })
		if next < 0 {
			next = slices.IndexFunc(rest, func(t *tableModel) bool { return onlyInCircle(t, rest) })
			t := rest[next]
			for i := range t.keys {
				k := &t.keys[i]
				k.late = k.to != nil && k.to != t && slices.Contains(rest, k.to)
			}
		}
		sorted = append(sorted, rest[next])
		rest = slices.Delete(rest, next, next+1)
	}
	return sorted
}

// waitsFor returns which tables of rest must be there before t.
func waitsFor(t *tableModel, rest []*tableModel) []*tableModel {
	var list []*tableModel
	for _, other := range t.after {
		if slices.Contains(rest, other) {
			list = append(list, other)
		}
	}
	return list
}

// onlyInCircle reports whether every table that t needs, directly or not, needs t.
func onlyInCircle(t *tableModel, rest []*tableModel) bool {
	for _, other := range needs(t, rest) {
		if !slices.Contains(needs(other, rest), t) {
			return false
		}
	}
	return true
}

// needs returns the tables of rest that t refers to, directly or not.
func needs(t *tableModel, rest []*tableModel) []*tableModel {
	var found []*tableModel
	todo := waitsFor(t, rest)
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		if !slices.Contains(found, next) {
			found = append(found, next)
			todo = append(todo, waitsFor(next, rest)...)
		}
	}
	return found
}

// clause is what follows FOREIGN KEY, as Bun's WithForeignKeys writes it.
func (k *foreignKey) clause() schema.QueryWithArgs {
	query, rel := "(?) REFERENCES ? (?)", k.relation
	args := []any{columnNames(rel.BasePKs), rel.JoinTable.SQLName, columnNames(rel.JoinPKs)}
	for _, action := range []string{rel.OnUpdate, rel.OnDelete} {
		if action != "" {
			query += " ?"
			args = append(args, bun.Safe(action))
		}
	}
	return bun.SafeQuery(query, args...)
}

func columnNames(fields []*schema.Field) bun.Safe {
	var names []string
	for _, f := range fields {
		names = append(names, string(f.SQLName))
	}
	return bun.Safe(strings.Join(names, ", "))
}

// longestName is how many bytes every server takes for a constraint's name.
const longestName = 63

// name is the name of a late key's constraint, by which it is found again.
func (k *foreignKey) name(t *tableModel) string {
	parts := []string{"fk", strings.ReplaceAll(t.table.Name, ".", "_")}
	for _, f := range k.relation.BasePKs {
		parts = append(parts, f.Name)
	}
	name := strings.Join(parts, "_")
	if len(name) <= longestName {
		return name
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // it never fails
	return fmt.Sprintf("%s_%08x", strings.ToValidUTF8(name[:longestName-9], ""), h.Sum32())
}

// isLate reports whether t refers to other by late keys alone.
func (t *tableModel) isLate(other *tableModel) bool {
	late := false
	for i := range t.keys {
		if t.keys[i].to == other {
			if !t.keys[i].late {
				return false
			}
			late = true
		}
	}
	return late
}
