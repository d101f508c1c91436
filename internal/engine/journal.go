package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	_ "github.com/dbos-inc/dbos-transact-golang/dbos/driver/sqlite" // DBOS on SQLite

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
)

const (
	// workflowVersion is the version of the code that runs plans, not of the binary:
	// a later Slipway takes up what an earlier one left as long as it is the same.
	workflowVersion = "plan-1"
	// workflowName is stored with every run, so it never changes.
	workflowName = "plan"
	// shutdownTimeout is for steps that do not end when they are told to.
	shutdownTimeout = 15 * time.Second
	// resultPollInterval is how often the journal is asked for a result that is about to come.
	resultPollInterval = 5 * time.Millisecond
)

// openDatabase opens the journal's file. Where it is durable, a checkpoint that was
// answered is on the disk: DBOS's own pool would wait for less (synchronous=NORMAL). One
// connection is faster than several, which would wait for each other by polling.
func openDatabase(path string, durable bool) (*sql.DB, error) {
	synchronous := "OFF"
	if durable {
		synchronous = "FULL"
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, unwritable(path, err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600) // SQLite would let others read it
	if err != nil {
		return nil, unwritable(path, err)
	}
	file.Close()
	name := url.URL{
		Scheme: "file", OmitHost: true, Path: path,
		RawQuery: "_txlock=immediate&_pragma=busy_timeout(15000)&_pragma=journal_mode(WAL)&_pragma=synchronous(" + synchronous + ")&_pragma=foreign_keys(1)",
	}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, record.DatabaseError("open the journal", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// database is the file of the journal. Where the records are shared, a turn has its own:
// what an earlier one left here counts for nothing, because another machine may have
// gone on since.
func (x *execution) database() string {
	if x.e.Owners == nil {
		return x.e.database()
	}
	return filepath.Join(x.e.Home, "journals", fmt.Sprintf("%s-%d-%s.db", x.run.ID, x.run.Turn, x.e.Machine))
}

// journal opens DBOS for one run and nothing else: it takes up this run's turn if
// it was begun, and no other run's. Its name, and not only its executor, is the
// run's, because DBOS lets any process of the same application continue what was
// put back for recovery.
func (x *execution) journal(ctx context.Context) (dbos.Context, error) {
	if err := refuseOverrides(os.Environ()); err != nil {
		return nil, err
	}
	path := x.database()
	db, err := openDatabase(path, x.e.Owners == nil) // nothing reads a turn's own journal again
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(record.DatabaseError("open the journal", path, err), db.Close())
	}
	j, err := dbos.NewContext(context.WithoutCancel(ctx), dbos.Config{
		AppName: "slipway-" + string(x.run.ID), SQLiteSystemDB: db, Logger: slog.New(slog.DiscardHandler),
		ApplicationVersion: workflowVersion, ExecutorID: string(x.run.ID),
	})
	if err != nil {
		return nil, errors.Join(record.DatabaseError("open the journal", path, x.healthy(ctx, db, err)), db.Close())
	}
	dbos.RegisterWorkflow(j, x.workflow, dbos.WithWorkflowName(workflowName), dbos.WithMaxRecoveryAttempts(math.MaxInt32))
	if err := dbos.Launch(j); err != nil {
		return nil, record.DatabaseError("open the journal", path, err)
	}
	return j, nil
}

// healthy looks why DBOS could not open the journal: it passes on only the text
// of what SQLite said.
func (x *execution) healthy(ctx context.Context, db *sql.DB, err error) error {
	var verdict string
	if asked := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); asked != nil {
		return asked
	}
	if verdict != "ok" {
		return record.CorruptDatabase(x.database()).Cause(errors.New(verdict))
	}
	return err
}

// refuseOverrides looks for variables that would make DBOS another executor, so
// that an unfinished run is not found again.
func refuseOverrides(environ []string) error {
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		switch name {
		case "DBOS__VMID", "DBOS__APPVERSION", "DBOS__CLOUD":
			if value != "" {
				return fault.New(fault.Invalid, "the environment variable %s is set", name).
					Hint("unset %s for slipway: it changes who owns unfinished runs", name)
			}
		}
	}
	return nil
}

// begin starts the turn, or finds it where it was left.
func (x *execution) begin(j dbos.Context) (dbos.WorkflowHandle[workflowResult], error) {
	h, err := dbos.RetrieveWorkflow[workflowResult](j, x.turn())
	if errors.Is(err, dbos.ErrNonExistentWorkflow) {
		return dbos.RunWorkflow(j, x.workflow, x.input(), dbos.WithWorkflowID(x.turn()))
	}
	if err != nil {
		return nil, err
	}
	status, err := h.GetStatus()
	if err != nil {
		return nil, err
	}
	switch status.Status {
	case dbos.WorkflowStatusSuccess:
		close(x.completed)
	case dbos.WorkflowStatusPending, dbos.WorkflowStatusEnqueued:
	default:
		return nil, fault.New(fault.Internal, "the journal of run %s can't be continued: it is %s", x.run.ID, status.Status).
			Hint("look what the run changed in %s, and start a new one", x.run.Environment)
	}
	return h, nil
}

// result waits for the turn's end, for trouble with the journal, or for being
// told to leave the run for later.
func (x *execution) result(h dbos.WorkflowHandle[workflowResult]) (workflowResult, error) {
	select {
	case <-x.completed:
	case err := <-x.broken:
		return workflowResult{}, err
	case <-x.left:
		return workflowResult{}, x.leftFor
	}
	v, err := h.GetResult(dbos.WithHandlePollingInterval(resultPollInterval), dbos.WithHandleTimeout(shutdownTimeout))
	return v, record.DatabaseError(fmt.Sprintf("end run %s", x.run.ID), x.database(), err)
}

// deleteTurn removes a turn that has ended from the journal: the records hold what it
// did. One that stays does no harm.
func (x *execution) deleteTurn(j dbos.Context) {
	_ = dbos.DeleteWorkflows(j, []string{x.turn()})
}

// turn names the turn in the journal.
func (x *execution) turn() string { return fmt.Sprintf("%s/%d", x.run.ID, x.run.Turn) }

// closeJournal closes the journal. In the middle of a turn, that stays as it is: what has
// not been checkpointed will run again.
func (x *execution) closeJournal(j dbos.Context) error {
	defer x.removeJournal()
	if err := dbos.Shutdown(j, shutdownTimeout); err != nil {
		return fault.New(fault.Unavailable, "stop the steps of run %s", x.run.ID).
			Hint("a step did not stop when it was told to; end this process before the run is resumed").Cause(err)
	}
	return nil
}

// removeJournal removes a turn's own journal: nothing reads it again.
func (x *execution) removeJournal() {
	if x.e.Owners == nil {
		return
	}
	_ = record.RemoveDatabase(x.database()) // one that stays does no harm
}
