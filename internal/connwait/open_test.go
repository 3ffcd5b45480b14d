package connwait

// Open counts the places that connections have, and those who make one.
func (q *Queue) Open() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.open
}

// Looking counts those who wait and look for idle connections.
func (q *Queue) Looking() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for e := q.callers.Front(); e != nil; e = e.Next() {
		select {
		case <-e.Value.(*caller).first:
			n++
		default:
		}
	}
	return n
}
