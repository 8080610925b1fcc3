-- How many reports of one member there are is asked whenever one comes.
CREATE INDEX reports_by_reporter ON reports (space, reporter, lamport, id);
