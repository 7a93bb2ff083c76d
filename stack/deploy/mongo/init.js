// Makes the replica set and the hotel's user, as far as they are not there. Run by mongosh as root.
const HOST = "mongo:27017";
const PRIMARY_WITHIN_S = 60;

function initiate() {
  try {
    rs.status();
  } catch (error) {
    if (error.codeName !== "NotYetInitialized") throw error;
    rs.initiate({ _id: "trips", members: [{ _id: 0, host: HOST }] });
  }
}

function waitForPrimary() {
  for (let second = 0; second < PRIMARY_WITHIN_S; second++) {
    if (db.hello().isWritablePrimary) return;
    sleep(1000);
  }
  throw new Error(`no primary within ${PRIMARY_WITHIN_S} s`);
}

// The hotel ends what a killed instance of it left open, which needs a right beyond its own database.
function addHotel(admin, password) {
  const privileges = [{ resource: { cluster: true }, actions: ["killAnySession"] }];
  const roles = [{ role: "readWrite", db: "hotel" }, { role: "endSessions", db: "admin" }];
  if (!admin.getRole("endSessions")) admin.createRole({ role: "endSessions", privileges, roles: [] });
  if (admin.getUser("hotel")) admin.updateUser("hotel", { pwd: password, roles });
  else admin.createUser({ user: "hotel", pwd: password, roles });
}

initiate();
waitForPrimary();
addHotel(db.getSiblingDB("admin"), process.env.HOTEL_DB_PASSWORD);
