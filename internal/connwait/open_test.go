package connwait

// Open counts the places that connections have, and those who make one.
func (q *Queue) Open() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.open
}
