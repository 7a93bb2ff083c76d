-- migrate:up
alter type sending add value 'captures';
alter type sending add value 'undone';
comment on column trips.sending is
    'begun: calls to partners may have been sent; barred: none was, and none will be; '
    'undone: calls were sent, and nothing more is but releases; captures: the trip is seen through';

-- migrate:down
comment on column trips.sending is 'begun: calls to partners may have been sent; barred: none was, and none will be';
alter type sending rename to sending_before;
create type sending as enum ('begun', 'barred');
alter table trips alter column sending type sending
    using (case when sending::text in ('captures', 'undone') then 'begun' else sending::text end)::sending;
drop type sending_before;
