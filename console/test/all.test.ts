// The console's pure parts. `npm test` bundles this file and runs it with node's own test runner.
import './format.test';
import './model.test';
import './screens.test';
import './tokens.test';
import './verdict.test';
import './sql.test';
import './dashboard.test';
import './guides.test';
